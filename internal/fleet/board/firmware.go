package board

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/ardesia-iot/ardesia/internal/base/problem"
)

var (
	// ErrNoFirmware is a board for which nobody has put a provisioning program here.
	ErrNoFirmware = problem.New(problem.NotFound, "no-provisioning-firmware", "This server has no provisioning program for that board.")
	// ErrBoard is an FQBN of no board that takes such a program.
	ErrBoard = problem.New(problem.NotFound, "unknown-board", "fqbn is not a board that is provisioned with a token of its own.")
)

// maxFirmware is how large a provisioning program may be, in bytes; that of the largest board has less than 2 MB.
const maxFirmware = 8 << 20

// SketchVersion is the oldest provisioning sketch that says all that the onboarding of generation 2 needs
// (ArduinoIoTCloud, examples/utility/Provisioning_2.0; device-protocol reference, section 6.3).
const SketchVersion = "0.6.2"

// generation2 are the boards with a key that signs their tokens (device-protocol reference, section 1.2), and the oldest
// firmware of their radio that goes with it; "" where none is known.
var generation2 = map[string]string{
	"arduino:samd:mkr1000": "", "arduino:samd:mkrgsm1400": "", "arduino:samd:mkrnb1500": "",
	"arduino:samd:mkrwifi1010": "1.6.0", "arduino:samd:nano_33_iot": "1.6.0",
	"arduino:mbed_nano:nanorp2040connect": "", "arduino:mbed_portenta:envie_m7": "", "arduino:mbed_nicla:nicla_vision": "",
	"arduino:mbed_opta:opta": "", "arduino:mbed_giga:giga": "", "arduino:renesas_portenta:portenta_c33": "",
	"arduino:renesas_uno:unor4wifi": "0.4.1",
}

// SignsTokens says whether a board has a key that signs tokens, so that it can come in by itself.
func SignsTokens(fqbn string) bool { _, does := generation2[fqbn]; return does }

// A Folder is where the operator puts provisioning programs, one for each kind of board: its FQBN with dots, and ".bin".
// They are not ours to hand out, so it begins empty. A folder that is not there is an empty one.
type Folder string

func (f Folder) path(fqbn string) string {
	return filepath.Join(string(f), strings.ReplaceAll(fqbn, ":", ".")+".bin")
}

// Has says whether there is a program for a board that is provisioned so.
func (f Folder) Has(fqbn string) bool {
	if !SignsTokens(fqbn) {
		return false
	}
	info, err := os.Stat(f.path(fqbn))
	return err == nil && info.Mode().IsRegular() && info.Size() > 0 && info.Size() <= maxFirmware
}

// A Firmware is a program that a board is provisioned with.
type Firmware struct {
	FQBN, Name string
	Image      []byte
}

// SHA256 is the hash of the image, in hex.
func (f Firmware) SHA256() string { sum := sha256.Sum256(f.Image); return hex.EncodeToString(sum[:]) }

// Read reads the program for a board, options of whose FQBN do not matter: or ErrBoard, ErrNoFirmware.
func (f Folder) Read(fqbn string) (Firmware, error) {
	b := Find(fqbn)
	if b == nil || !SignsTokens(b.FQBN) {
		return Firmware{}, ErrBoard
	}
	path := f.path(b.FQBN)
	none := ErrNoFirmware.With("This server has no provisioning program for " + b.Name + ". Its operator can put one into the folder for them, as " + filepath.Base(path) + ".")
	file, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return Firmware{}, none
	}
	if err != nil {
		return Firmware{}, fmt.Errorf("open the provisioning program for %s: %w", b.FQBN, err)
	}
	defer file.Close()
	image, err := io.ReadAll(io.LimitReader(file, maxFirmware+1))
	switch {
	case err != nil:
		return Firmware{}, fmt.Errorf("read the provisioning program for %s: %w", b.FQBN, err)
	case len(image) == 0:
		return Firmware{}, none
	case len(image) > maxFirmware:
		return Firmware{}, fmt.Errorf("the provisioning program %s is larger than %d bytes", path, maxFirmware)
	}
	return Firmware{FQBN: b.FQBN, Name: b.Name, Image: image}, nil
}
