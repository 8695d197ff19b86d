package thing

import (
	"strconv"
	"strings"

	"github.com/ardesia-iot/ardesia/internal/base/rest"
)

// maxFilter is how many IDs and tags a list is filtered by.
const maxFilter = 1000

// ReadFilter reads which things are asked for: IDs, any of them, and tags, each key:value, all of them. Empty ones
// are a form's fields that nobody filled in.
func ReadFilter(ids, tags []string) (f Filter, err error) {
	for _, id := range given(ids) {
		f.IDs = append(f.IDs, strings.ToLower(id))
	}
	for _, text := range given(tags) {
		tag, err := ParseTag(text)
		if err != nil {
			return Filter{}, rest.ErrQuery.With("A filter on tags is written key:value.")
		}
		f.Tags = append(f.Tags, tag)
	}
	if len(f.IDs)+len(f.Tags) > maxFilter {
		return Filter{}, rest.ErrQuery.With("A list can be filtered by at most " + strconv.Itoa(maxFilter) + " IDs and tags.")
	}
	return f, nil
}
