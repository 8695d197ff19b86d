// Package bridge drives Ardesia's bridges to other programs with those programs themselves.
package bridge
