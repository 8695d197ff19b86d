// Package series keeps the history of property values.
package series
