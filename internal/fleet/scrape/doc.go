// Package scrape is the room where Prometheus reads what the things of a space are at this moment.
//
// Invariants:
//   - Who asks is told of things and devices that the API shows them, and of nothing else.
//   - A series has what a property is called as labels, never what it is: a text as a label would make a series of each text.
//     Nor has it tags, which anybody may make up: they choose what is scraped.
//   - Ids are labels beside names: a thing that is renamed is another series, and the id joins the two.
//   - Samples have no timestamps: see Service.Scrape.
//   - A scrape has at most MaxSeries series. More are refused, and never cut off: a series that is missing looks like a board that is gone.
//
// Tables: none. Topics: none.
//
// Routes: GET /v1/integrations/prometheus.
package scrape
