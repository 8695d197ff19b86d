package house

import (
	"os"
	"testing"

	"github.com/ardesia-iot/ardesia/internal/servertest"
)

func TestMain(m *testing.M) {
	// The others ask for much that they are not about.
	samples := func(test string) bool { return test == "TestEveryRouteTakesItsSamples" }
	os.Exit(servertest.Exercised(m, "testdata/exercised.txt", samples, update))
}
