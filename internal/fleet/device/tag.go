package device

// ReadTags reads tags as lists are filtered by them, each "key:value". An empty one is a form's field
// that nobody filled in.
func ReadTags(texts []string) ([]Tag, error) {
	if len(texts) > maxTags {
		return nil, ErrTag.With("A list can be filtered by at most 256 tags.")
	}
	var all []Tag
	for _, text := range texts {
		if text == "" {
			continue
		}
		tag, err := ParseTag(text)
		if err != nil {
			return nil, err
		}
		all = append(all, tag)
	}
	return all, nil
}

// Tags are those of a device, or of something else that people put tags on.
type Tags map[string]string

// Match says whether they hold all of some.
func (t Tags) Match(all []Tag) bool {
	for _, one := range all {
		if v, has := t[one.Key]; !has || v != one.Value {
			return false
		}
	}
	return true
}

// Check says what is wrong with them.
func (t Tags) Check() error {
	if len(t) > maxTags {
		return ErrTooManyTags.With("There are at most 256 tags on one object.")
	}
	for key, value := range t {
		if err := CheckTag(key, value); err != nil {
			return err
		}
	}
	return nil
}

// With is a copy with one tag more, or with another value for one; Without with one less.
func (t Tags) With(key, value string) Tags {
	all := t.clone()
	all[key] = value
	return all
}

// Without does not mind if there is none.
func (t Tags) Without(key string) Tags {
	all := t.clone()
	delete(all, key)
	return all
}

func (t Tags) clone() Tags {
	all := make(Tags, len(t)+1)
	for key, value := range t {
		all[key] = value
	}
	return all
}
