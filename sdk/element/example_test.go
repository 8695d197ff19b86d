package element_test

import "os"

// tempDir stands for the folder in which a device keeps its files.
func tempDir() string {
	dir, err := os.MkdirTemp("", "element")
	if err != nil {
		panic(err)
	}
	return dir
}
