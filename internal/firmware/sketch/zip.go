package sketch

import (
	"archive/zip"
	"bytes"
	"time"
)

// stamp is the time of every file in a zip, so that the same program makes the same bytes. It is the
// first that the format can tell.
var stamp = time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC)

// Zip packs a program in a folder of its name.
func (p Program) Zip() ([]byte, error) {
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, f := range p.Files {
		part, err := w.CreateHeader(&zip.FileHeader{Name: p.Name + "/" + f.Name, Method: zip.Deflate, Modified: stamp})
		if err != nil {
			return nil, err
		}
		if _, err := part.Write([]byte(f.Text)); err != nil {
			return nil, err
		}
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}
