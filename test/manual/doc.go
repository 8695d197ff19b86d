// Package manual runs the examples of the documentation against a house: commands by a shell, programs by what runs their
// language. What cannot be run is marked in the text with the word "not-run", and listed by the test.
package manual
