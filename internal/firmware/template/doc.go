// Package template is the room of whole templates: things with their programs, dashboards and triggers, taken from one
// space, kept, carried as one file, and made anew elsewhere.
//
// Invariants:
//   - What is made of a template is made whole or not at all, whatever happens in between: the intent with all IDs
//     is on disk before the first part is made, and a start takes back what has no end.
//   - A template says nothing of people: recipients of notices, who made what, and secrets stay where they were.
//   - Parts name one another by what the template calls things; IDs of a space are in none of them.
//   - What somebody sends as a file is read within bounds, and kept as we write it, not as it came. Equal templates
//     are equal bytes.
//   - A template belongs to one space and has a name that no other of that space has. Those of the gallery are
//     in this program, belong to nobody and never change.
//
// It is above the fleet because it knows three of its rooms and they do not know it. Programs of things are in a room of
// their own beside it (Needs.Sketches).
//
// Tables: template, template_apply.
//
// Routes: PUT /iot/v1/templates, /storage/template/…, /v1/templates….
package template
