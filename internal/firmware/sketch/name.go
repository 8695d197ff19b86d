package sketch

import (
	"regexp"
	"strconv"
	"strings"
	"unicode"

	"github.com/ardesia-iot/ardesia/internal/fleet/thing"
)

// maxFolder is the longest name of a sketch, in bytes: Arduino's tools take 63.
const maxFolder = 63

// folderName makes a name of a sketch: letters, digits, "_", "-" and ".", the first of which is a letter, a digit or "_"; no
// name that Windows keeps for itself.
func folderName(name string) string {
	b := []byte(name)
	for i, c := range b {
		if !alphanumeric(c) && c != '_' && (i == 0 || c != '-' && c != '.') {
			b[i] = '_'
		}
	}
	b = b[:min(len(b), maxFolder)]
	if n := len(b); n > 0 && b[n-1] == '.' {
		b[n-1] = '_'
	}
	s := string(b)
	if s == "" {
		return "Sketch"
	}
	if stem, _, _ := strings.Cut(strings.ToUpper(s), "."); windows.MatchString(stem) {
		s = "_" + s
		s = s[:min(len(s), maxFolder)]
	}
	return s
}

var windows = regexp.MustCompile(`^(CON|PRN|AUX|NUL|COM[0-9]|LPT[0-9])$`)

func alphanumeric(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
}

// A named is a property with the names that it has in a sketch.
type named struct {
	thing.Property
	Ident    string // of the variable
	Callback string // "" where the cloud never writes
}

// identifiers gives every property that a sketch can have its names, in the order of the properties. What is left
// out is in the second list.
func identifiers(all []thing.Property) (with []named, without []thing.Property) {
	taken := map[string]bool{}
	free1 := func(base string) string {
		s := base
		for n := 2; taken[s] || reservedCPP(s); n++ {
			s = base + strconv.Itoa(n)
		}
		taken[s] = true
		return s
	}
	// Variables that keep their names come first: none is renamed for the sake of another's substitute.
	for _, p := range all {
		if !reservedCPP(p.Variable) {
			taken[p.Variable] = true
		}
	}
	for _, p := range all {
		if free(p) {
			without = append(without, p)
			continue
		}
		n := named{Property: p, Ident: p.Variable}
		if reservedCPP(p.Variable) {
			base := "var_" + strings.Trim(p.Variable, "_")
			for strings.Contains(base, "__") {
				base = strings.ReplaceAll(base, "__", "_")
			}
			n.Ident = free1(base)
		}
		with = append(with, n)
	}
	for i := range with {
		if with[i].Writable() {
			with[i].Callback = free1("on" + camel(with[i].Variable) + "Change")
		}
	}
	return with, without
}

// camel is a variable's name within that of its callback, as Arduino's generator makes it: led_switch is LedSwitch.
func camel(variable string) string {
	var b strings.Builder
	up := true
	for i := range len(variable) {
		c := variable[i]
		switch {
		case c == '_':
			up = true
			continue
		case up && c >= 'a' && c <= 'z':
			c -= 'a' - 'A'
		}
		up = false
		b.WriteByte(c)
	}
	return b.String()
}

// reservedCPP says whether a sketch cannot have a variable of this name: a word of C++, a name that the standard keeps for
// compilers (C++ [lex.name]), or one of the core, the C library, the cloud library, or the generated files.
func reservedCPP(name string) bool {
	return name == "" || name[0] == '_' || strings.Contains(name, "__") || cppWords[name] || cppForms.MatchString(name)
}

// cppForms are names that cores make in numbers: pins, ports, registers, binary constants, and the prefixes of our own macros.
var cppForms = regexp.MustCompile(`^([AD][0-9]{1,3}|B[01]{1,8}|P[A-K][0-9]{0,2}|(GPIO|PIN|LED|SPI|USB|ESP|SECRET|ARDESIA|ARDUINO|BOARD|HAS|OTA|AIOT|GPRS|DEVICE|DEBUG|DBG|BR|M|PSTR|ESP32|ESP8266)_.*|` +
	`(LED|GPIO|SPI|Serial|Wire)[0-9]*|(Arduino|Cloud|WiFi|Ethernet|SerialUSB|HardwareSerial|Mbed).*|(esp|mbed|arduino)_.*|[A-Z]?[A-Za-z]*ConnectionHandler.*|u?int(_fast|_least)?(8|16|32|64|max|ptr)_t|` +
	`(U?(CHAR|SHRT|INT|LONG|LLONG|INT8|INT16|INT32|INT64|INTPTR|INTMAX)|SCHAR|SIZE|SSIZE|RAND|PATH|NAME|FLT|DBL|LDBL|PTRDIFF|WCHAR|WINT)_(MAX|MIN|WIDTH|EPSILON|DIG)|[jy][01n][fl]?|a?(sin|cos|tan)h?[fl]?|` +
	`(fabs|floor|ceil|pow|sqrt|exp|log|fmod|round|trunc|fmax|fmin|hypot|log10|cbrt|atan2|modf|ldexp|frexp|exp2|log2|expm1|log1p|fma|rint|lround|lrint|nearbyint|copysign|scalbn|tgamma|lgamma|erf|erfc|fdim|logb|ilogb|remainder)[fl])$`)

// cppWords are keywords up to C++20, and global names that sketches get from elsewhere.
var cppWords = words(`
alignas alignof and and_eq asm auto bitand bitor bool break case catch char char8_t char16_t char32_t class co_await co_return co_yield compl concept const
const_cast consteval constexpr constinit continue decltype default delete do double dynamic_cast else enum explicit export extern false float for friend goto if
inline int long mutable namespace new noexcept not not_eq nullptr operator or or_eq private protected public register reinterpret_cast requires return short
signed sizeof static static_assert static_cast struct switch template this thread_local throw true try typedef typeid typename typeof union unsigned using virtual
void volatile wchar_t while xor xor_eq linux unix asm

memcpy memmove memset memcmp memchr memccpy memmem mempcpy memrchr memalign strcat strchr strcmp strcoll strcpy strcspn strdup strerror strlen strncat strncmp strncpy strndup strnlen strpbrk strrchr strspn strstr strtok strxfrm strcasecmp
strncasecmp strlcpy strlcat strsep strsignal strtod strtof strtol strtold strtoll strtoul strtoull strftime strptime strlwr strupr strrev stpcpy stpncpy atan2 nextafterf
E2BIG EACCES EADDRINUSE EAGAIN EBADF EBUSY ECHILD ECONNREFUSED ECONNRESET EDOM EEXIST EFAULT EFBIG EINTR EINVAL EIO EISDIR EMFILE EMLINK ENFILE ENODEV ENOENT ENOEXEC ENOLCK ENOMEM ENOSPC ENOSYS ENOTDIR ENOTEMPTY ENOTTY
ENXIO EPERM EPIPE ERANGE EROFS ESPIPE ESRCH ETIME ETIMEDOUT EXDEV EWOULDBLOCK EALREADY EINPROGRESS EISCONN ENOTCONN ENOTSUP EOVERFLOW EPROTO SIGABRT SIGFPE SIGILL SIGINT SIGSEGV SIGTERM SIG_DFL SIG_IGN SIG_ERR ESP USB SPI DEBUG
HIGH LOW INPUT OUTPUT INPUT_PULLUP INPUT_PULLDOWN OUTPUT_OPENDRAIN CHANGE FALLING RISING DEFAULT EXTERNAL INTERNAL LSBFIRST MSBFIRST PI HALF_PI TWO_PI DEG_TO_RAD RAD_TO_DEG EULER
DEC HEX OCT BIN F PROGMEM PSTR FPSTR NULL TRUE FALSE SDA SCL MOSI MISO SCK SS TX RX RX1 TX1 TX2 RX2 DAC0 DAC1 DAC A B I EOF min max abs round radians degrees sq constrain map bit bitRead bitSet
bitClear bitToggle bitWrite lowByte highByte word byte boolean interrupts noInterrupts setup loop yield main init initVariant delay delayMicroseconds millis micros
pinMode digitalWrite digitalRead digitalToggle analogRead analogWrite analogReference analogReadResolution analogWriteResolution attachInterrupt detachInterrupt pulseIn pulseInLong shiftIn shiftOut
tone noTone random randomSeed makeWord isAlpha isDigit isSpace isUpperCase isLowerCase isAlphaNumeric isAscii isControl isGraph isHexadecimalDigit isPrintable isPunct isWhitespace toAscii toLowerCase toUpperCase
String StringSumHelper Print Printable Stream Client Server UDP IPAddress HardwareSerial arduino std rtos events Keyboard Mouse RTC EEPROM Wdt Watchdog

Property Permission UpdatePolicy Permission READ WRITE READWRITE ON_CHANGE SECONDS MINUTES HOURS DAYS MILLISECONDS CLOUD_WINS DEVICE_WINS MOST_RECENT_WINS UPDATE WRITE_ONLY permissionType
onAutoSync onForceCloudSync onForceDeviceSync onForceCloud Debug setDebugMessageLevel getTime NetworkAdapter NetworkConnectionState NetworkConnectionEvent MqttClient TimeService Schedule Color Location Television ColoredLight DimmedLight
Location ScheduleState models initProperties SSID PASS PINNUMBER LORA NB GSM CATM1 CELL NOTECARD BAND_3 BAND_19 BAND_20 x509_crt_bundle GSMClient NBClient LoRaModem

abort access acos alarm alloca asctime asin assert atan atexit atof atoi atol atoll bcmp bcopy brk bsearch bzero calloc ceil chdir chmod chown clearerr clock clock_t close closedir confstr connect copysign cos cosh creat ctermid
ctime daemon difftime div div_t dprintf dup dup2 erf erfc errno execl execv execve exit exp exp2 expm1 fabs fclose fcntl fdim feof ferror fflush ffs fgetc fgetpos fgets fileno floor fma fmax fmin fmod fopen
fork fpclassify fprintf fputc fputs fread free freopen frexp fscanf fseek fsetpos fstat fsync ftell ftime ftruncate fwrite gamma getc getchar getcwd getenv geteuid gethostname getopt getpid getppid gets gettimeofday getuid gmtime
htonl htons hypot ilogb index input_event ioctl isalnum isalpha isatty isblank iscntrl isdigit isfinite isgraph isinf islower isnan isnormal isprint ispunct isspace isupper isxdigit itoa kill labs ldexp ldiv lgamma link llabs lldiv llrint llround localtime lockf log log10
log1p log2 logb longjmp lrint lround lseek ltoa malloc mblen mbtowc mkdir mkstemp mktime modf nan nearbyint nextafter nice ntohl ntohs off_t offsetof open opendir optarg opterr optind optopt output_event pause perror pipe pow printf ptrdiff_t putc putchar putenv puts
qsort raise rand read readdir realloc recv remainder remove remquo rename rewind rindex rint rmdir sbrk scalbln scalbn scanf select send setbuf setenv setjmp setvbuf sigaction sigset_t signal signbit sigprocmask sin sinh size_t sleep snprintf socket sprintf sqrt srand srandom
ssize_t sscanf ssize_t stat stderr stdin stdout swab symlink sync sysconf system tgamma time time_t timegm timer timezone tm tmpfile tmpnam toascii tolower toupper trunc truncate ttyname tzname tzset uint ulong umask ungetc unlink unsetenv ushort usleep utoa va_arg va_end va_list va_start
vfprintf vprintf vsnprintf vsprintf wait wctomb write cbrt drem finite infinity isinff isnanf lgammaf significand daylight environ eaccess encrypt crypt lcong48 pthread_t sched_yield sigwait ualarm vfork chroot syscall acct accept bind listen shutdown
`)

func words(text string) map[string]bool {
	set := map[string]bool{}
	for _, w := range strings.Fields(text) {
		set[w] = true
	}
	return set
}

// comment makes a text that a line comment of C++, Python, JavaScript or YAML can have: a backslash at the end of
// a line would take the next one into a C++ comment, as would ??/ (a trigraph), and */ ends one of another kind.
func comment(text string) string {
	text = strings.Map(func(r rune) rune {
		switch {
		case r == '\\':
			return '/'
		case !unicode.IsPrint(r):
			return ' '
		}
		return r
	}, text)
	return strings.NewReplacer("??/", "? ?/", "*/", "* /").Replace(text)
}

// cString is a string literal of C++. Bytes that are no printable ASCII are written in octal, of which
// three digits cannot take a fourth; so is "?", two of which could begin a trigraph.
func cString(text string) string {
	var b strings.Builder
	b.WriteByte('"')
	for i := range len(text) {
		switch c := text[i]; {
		case c == '"' || c == '\\':
			b.WriteByte('\\')
			b.WriteByte(c)
		case c == '\n':
			b.WriteString(`\n`)
		case c < ' ' || c > '~' || c == '?':
			b.WriteByte('\\')
			octal := strconv.FormatUint(uint64(c), 8)
			b.WriteString("000"[len(octal):] + octal)
		default:
			b.WriteByte(c)
		}
	}
	b.WriteByte('"')
	return b.String()
}

// scriptString is a string literal that Python and JavaScript read alike.
func scriptString(text string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range text {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r >= ' ' && r <= '~':
			b.WriteRune(r)
		case r > 0xffff: // two halves, which only JavaScript would join: neither name nor host has any
			b.WriteByte('?')
		default:
			hex := strconv.FormatUint(uint64(r), 16)
			b.WriteString(`\u` + "0000"[len(hex):] + hex)
		}
	}
	b.WriteByte('"')
	return b.String()
}
