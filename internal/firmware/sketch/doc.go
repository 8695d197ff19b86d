// Package sketch writes programs for the devices of things: a sketch for an Arduino board, or a program
// in Python, MicroPython or JavaScript, ready to be built and run, that knows this server's name, ports and authority.
//
// Invariants:
//   - The generator is pure: the same thing, device and server make the same bytes, the zip's too.
//   - No secret is ever in what it writes: the fields for them are empty, and the file that has them is the user's.
//   - Nothing that a person typed becomes code. Names of variables become identifiers that no
//     word of a language, no name of a library and no other name of the program is; all other text is quoted,
//     or in a comment that it cannot end.
//   - What is the user's to change (Keep) is told apart from what is written anew each time.
//   - A board that cannot be pointed here with unmodified libraries is told so, in the README of its sketch.
//
// Tables: none. Topics: none.
// Routes: GET /v1/things/{id}/sketch and sketch.zip.
package sketch
