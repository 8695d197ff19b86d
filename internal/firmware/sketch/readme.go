package sketch

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/ardesia-iot/ardesia/internal/fleet/thing"
)

const readmeMark = "<!-- " + header + " -->\n\n"

func cppReadme(name string, spec Spec, with []named, without []thing.Property) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s# %s\n\nA sketch for %s (`%s`).\n\n", readmeMark, name, spec.Board.Name, spec.Board.FQBN)
	b.WriteString("1. Fill in `arduino_secrets.h`.\n")
	switch {
	case spec.Device == "" && spec.Secret:
		b.WriteString("   No device is attached to the thing yet: create one, attach it, and take the sketch again.\n")
	case spec.Secret:
		b.WriteString("   The device's secret key was shown once, when it was made; a new one can be made at any time.\n")
	default:
		b.WriteString("   The board needs a certificate of this server in its secure element, for the device that is attached to the thing.\n")
	}
	fmt.Fprintf(&b, "2. Install the library with what it needs: `arduino-cli lib install %s@%s`, or in the IDE's library manager.\n", libraries[0].name, libraries[0].version)
	if trust := trustSteps(spec); trust != "" {
		b.WriteString(trust)
	}
	b.WriteString("3. Build and upload: open the `.ino` in the IDE, or `arduino-cli compile --upload --port PORT .` in this folder.\n\n")
	fmt.Fprintf(&b, "The board connects to `%s`, port %d.\n", spec.Place.Host, spec.port())
	b.WriteString(onlyHere(spec.Place.Host))
	b.WriteString("\n## Trust\n\n" + trustWords(spec) + "\n## Files\n\n")
	fmt.Fprintf(&b, "`%s.ino` and `arduino_secrets.h` are yours and never overwritten by `ardesiactl thing sketch`; all others are written anew, after a variable, the device or the server has changed.\n", name)
	b.WriteString(renamed(with))
	for _, p := range without {
		fmt.Fprintf(&b, "\nThe variable `%s` is left out: the library has no class for values of the type %s.\n", p.Variable, p.Type.Name)
	}
	return b.String()
}

func renamed(with []named) string {
	var b strings.Builder
	for _, v := range with {
		if v.Ident != v.Variable {
			fmt.Fprintf(&b, "\nThe variable `%s` is called `%s` in the sketch, since the former means something there already.\n", v.Variable, v.Ident)
		}
	}
	return b.String()
}

// onlyHere warns of a name that leads every device to itself.
func onlyHere(host string) string {
	ip, err := netip.ParseAddr(host)
	if host == "localhost" || err == nil && ip.IsLoopback() {
		return "\n**No board can reach this name:** it means the machine that asks. Start the server with the name that your network knows it by (`--host`), and take the program again.\n"
	}
	return ""
}

// trustSteps is what is to be done between installing the library and building.
func trustSteps(spec Spec) string {
	if spec.Place.CA == nil {
		return ""
	}
	switch spec.Board.family() {
	case bearSSL, pemRoot:
		return "   Then copy what is in `overlay/ArduinoIoTCloud` over the library's folder (`Arduino/libraries/ArduinoIoTCloud` in your home folder).\n"
	case unoR4:
		if !spec.Secret {
			return "   Then copy what is in `overlay/ArduinoIoTCloud` over the library's folder (`Arduino/libraries/ArduinoIoTCloud` in your home folder), and read what is said about trust below.\n"
		}
	}
	return ""
}

// trustWords says how the board knows that it speaks with this server, and where it does not.
func trustWords(spec Spec) string {
	own := spec.Place.CA != nil
	const after = " Copy it again after each update of the library. A profile of `sketch.yaml` (`--profile`) fetches an unmodified library, with which the board does not connect."
	switch f := spec.Board.family(); {
	case f == esp8266:
		return "**The connection is encrypted, but the board does not check with whom:** the library switches that off on the ESP8266. Whoever can redirect the board's traffic can read its secret key. Use it in networks that you trust.\n"
	case f == esp32 && own:
		return "`build_opt.h` makes the compiler put this server's authority in place of those that come with the library. It works with the unmodified library; the IDE does not notice when the file changes, so clean the build (or touch another file) after that. It is written for the library in the version above.\n"
	case f == esp32:
		return "A public authority issued this server's certificate. The library knows those of Amazon and Starfield; with a certificate of any other (Let's Encrypt is one) the board does not connect. Start the server without `--tls-cert`, with its own authority, and take the sketch again.\n"
	case f == bearSSL && own:
		return "The library has Arduino's authorities compiled in. `overlay/ArduinoIoTCloud/src/tls/BearSSLTrustAnchors.h` has this server's instead." + after + "\n"
	case f == pemRoot && own:
		return "The library has Arduino's authorities compiled in. `overlay/ArduinoIoTCloud/src/tls/AIoTCSSCert.h` has this server's instead." + after + "\n"
	case f == bearSSL || f == pemRoot:
		return "**The unmodified library does not connect:** it trusts Arduino's authorities alone, and a public one issued this server's certificate. Start the server without `--tls-cert`, with its own authority, and take the sketch again: it then has a file for the library.\n"
	case f == unoR4 && spec.Secret && own:
		return "**The board does not connect as it is:** with a secret key the radio's firmware checks the server against public authorities (151 of them, Let's Encrypt among others), and this server has its own. Give the server a public certificate (`--tls-cert`, `--tls-key`), or use the board with a certificate.\n"
	case f == unoR4 && spec.Secret:
		return "The radio's firmware (0.4.1 or newer) checks the server against 151 public authorities, Let's Encrypt and Amazon among them.\n"
	case f == unoR4 && own:
		return "In certificate mode the board checks the server against Arduino's authorities: those that the library has compiled in, which `overlay/ArduinoIoTCloud/src/tls/AIoTCSSCert.h` replaces, and those in the radio's firmware, which only another firmware replaces. If the board does not connect with the overlay, its radio decides: then give the server a public certificate and the device a secret key." + after + "\n"
	case f == unoR4:
		return "In certificate mode the board trusts Arduino's authorities alone, and a public one issued this server's certificate. Give the device a secret key (`PUT /iot/v2/devices/{id}/pass`) and take the sketch again: then the radio's firmware checks against public authorities.\n"
	}
	return "**The board does not connect as it is:** the authorities that it trusts are in the firmware of its Wi-Fi module (NINA), which checks the board's certificate connection against Arduino's alone. No file beside the sketch changes that; it takes a firmware that was built with this server's authority.\n"
}
