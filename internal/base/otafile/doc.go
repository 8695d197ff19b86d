// Package otafile reads and writes ".ota" files, which is how a program for a board
// travels over the air: a header of 20 bytes, and the program's image compressed by LZSS.
//
//	 0   4  length of all that follows offset 8, little-endian, as are all numbers
//	 4   4  CRC-32 (IEEE) of all that follows offset 8
//	 8   4  magic: for which board; see Board
//	12   8  version: seven zeros, then 0x40, which says that the image is compressed
//	20   n  the image
//
// (device-protocol reference, section 7.1.) There is no signature in it: whoever can write
// a file can write one that passes. What it protects from is the wrong board and a broken transfer.
//
// All readers take untrusted bytes, and need a bound of their caller's for what they make of them:
// an image may be 8.5 times as long as its file.
package otafile
