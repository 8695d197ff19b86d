package clients

import (
	"flag"
	"os"
	"testing"

	"github.com/ardesia-iot/ardesia/internal/servertest"
)

var update = flag.Bool("update", false, "write anew which test asked which route, and with which client")

func TestMain(m *testing.M) {
	os.Exit(servertest.Exercised(m, "testdata/exercised.txt", func(string) bool { return true }, update))
}
