package template

import (
	"embed"
	"fmt"
	"io/fs"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"
)

// gallery has a folder for each template that everybody has, as a .tino file would unpack.
//
//go:embed gallery
var gallery embed.FS

// galleryIDs is the name space (RFC 9562, section 5.5) of the IDs of templates of the gallery: one for each name, in every house.
var galleryIDs = uuid.MustParse("6f5f9f0e-6d0b-4f1a-9a52-6a1d1f7d8c11")

// galleryAt is when the gallery was last changed.
var galleryAt = time.Date(2026, 11, 26, 0, 0, 0, 0, time.UTC)

// shown is a template of the gallery, and its file.
type shown struct {
	Template
	file []byte
}

// readGallery reads and checks all of it, by name.
var readGallery = sync.OnceValues(func() ([]shown, error) {
	folders, err := fs.ReadDir(gallery, "gallery")
	if err != nil {
		return nil, err
	}
	var all []shown
	for _, f := range folders {
		one, err := readShown(f.Name())
		if err != nil {
			return nil, fmt.Errorf("%s: %w", f.Name(), err)
		}
		all = append(all, one)
	}
	return all, nil
})

func readShown(slug string) (shown, error) {
	root, files := "gallery/"+slug, map[string][]byte{}
	err := fs.WalkDir(gallery, root, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		files[strings.TrimPrefix(name, root+"/")], err = fs.ReadFile(gallery, name)
		return err
	})
	if err != nil {
		return shown{}, err
	}
	w, err := readFiles(files)
	if err != nil {
		return shown{}, err
	}
	file, err := Write(w)
	if err != nil {
		return shown{}, err
	}
	return shown{Template{ID: uuid.NewSHA1(galleryIDs, []byte(slug)).String(), Slug: slug, Name: w.Name, Description: w.describe(), Bytes: int64(len(file)), CreatedAt: galleryAt, UpdatedAt: galleryAt}, file}, nil
}
