package awscli

import (
	"encoding/xml"
	"strings"
)

// xmlForm is how a protocol's answers are turned into the CLI's form.
type xmlForm struct {
	item   string                      // the element of a list
	isList func(name string) bool      // even when empty
	member func(name string) string    // what the CLI calls it
	scalar func(name, text string) any // what a text stands for
}

// value reads what is inside the element of that name.
func (f *xmlForm) value(dec *xml.Decoder, name string) (any, error) {
	members, items, text, isList := map[string]any{}, []any{}, "", f.isList(name)
	for {
		token, err := dec.Token()
		if err != nil {
			return nil, err
		}
		switch t := token.(type) {
		case xml.CharData:
			text += string(t)
		case xml.StartElement:
			v, err := f.value(dec, t.Name.Local)
			if err != nil {
				return nil, err
			}
			if t.Name.Local == f.item {
				items, isList = append(items, v), true
			} else {
				members[f.member(t.Name.Local)] = v
			}
		case xml.EndElement:
			switch {
			case isList:
				return items, nil
			case len(members) > 0:
				return members, nil
			}
			return f.scalar(name, strings.TrimSpace(text)), nil
		}
	}
}
