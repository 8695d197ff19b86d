// Package openapi writes the API down from the declarations of its routes, as a document of OpenAPI 3.1 that
// programs read and as a page that people read, and says of an answer whether it is what the document promises.
//
// Invariants. The document has every declared route but those for browsers; what it says of bodies is derived from
// the types that are read and written, and of problems from the declared ones. The same declarations make the same
// bytes.
package openapi
