package awscli

import (
	"encoding/json"
	"testing"
)

func TestQuery(t *testing.T) {
	const doc = `{"Tags":[{"Key":"Name","Value":"web"},{"Key":"b","Value":"2"},{"Key":"c"}],"n":3,"empty":[],"o":{"x":{"v":1},"y":{"v":2},"z":3},
		"Reservations":[{"Instances":[{"Id":"i-1","State":{"Name":"running"},"IPs":["a","b"]},{"Id":"i-2","State":{"Name":"stopped"},"IPs":["c"]}]},{"Instances":[{"Id":"i-3"}]}],
		"nums":[3,1,2],"a-b":"dash"}`
	for query, want := range map[string]string{
		"n": `3`, "absent.x.y": `null`, "Tags[0].Value": `"web"`, "Tags[-1].Key": `"c"`, "Tags[7]": `null`, "\"a-b\"": `"dash"`,
		"Tags[?Key=='Name'].Value":                              `["web"]`,
		"Tags[?Key=='Name'].Value | [0]":                        `"web"`,
		"Tags[?Key==`Name`]|[0].Value":                          `"web"`,
		"Tags[?Key!='Name' && Value].Key":                       `["b"]`,
		"Tags[?!(Key=='Name') || Value=='web'].Key":             `["Name","b","c"]`,
		"Tags[].[Key,Value]":                                    `[["Name","web"],["b","2"],["c",null]]`,
		"Tags[*].{K:Key,\"V\":Value}|[0]":                       `{"K":"Name","V":"web"}`,
		"Reservations[].Instances[].Id":                         `["i-1","i-2","i-3"]`,
		"Reservations[*].Instances[*].Id":                       `[["i-1","i-2"],["i-3"]]`,
		"Reservations[*].Instances[*].Id[]":                     `["i-1","i-2","i-3"]`,
		"Reservations[].Instances[].IPs[]":                      `["a","b","c"]`,
		"Reservations[].Instances[?State.Name=='running'].Id":   `[["i-1"],[]]`,
		"Reservations[].Instances[?State.Name=='running'][].Id": `["i-1"]`,
		"Reservations[0].Instances[0].[Id,State.Name,IPs[0]]":   `["i-1","running","a"]`,
		"Reservations[].Instances[].[Id, IPs[1:]]|[0]":          `["i-1",["b"]]`,
		"o.*.v": `[1,2]`, "o.x.v": `1`, "*.x.v": `[1]`, "nums[1:]": `[1,2]`, "nums[::-1]": `[2,1,3]`, "nums[:-1]": `[3,1]`, "nums[5:]": `[]`,
		"length(Tags)": `3`, "sort(nums)": `[1,2,3]`, "reverse(sort(nums))[0]": `3`, "max(nums)": `3`, "min(nums)": `1`,
		"sort_by(Tags,&Key)[0].Key": `"Name"`, "sort_by(Reservations[0].Instances,&State.Name)[0].Id": `"i-1"`, "max_by(Tags, &Key).Key": `"c"`, "join(',',Tags[].Key)": `"Name,b,c"`,
		"Tags[?contains(Key,'am')].Key": `["Name"]`, "Tags[?starts_with(Key,'N')].Key|[0]": `"Name"`, "contains(nums,`2`)": `true`,
		"nums[?@ > `1`]": `[3,2]`, "n >= `3`": `true`, "n == `3.0`": `true`, "empty || n": `3`, "empty && n": `[]`, "!empty": `true`,
		"keys(o)": `["x","y","z"]`, "not_null(absent, n)": `3`, "to_string(n)": `"3"`, "to_number('5')": `5`, "map(&v, values(o))|[:2]": `[1,2]`,
		"'it\\'s'": `"it's"`, "{a: n, b: Tags[0].Key}": `{"a":3,"b":"Name"}`, "@.n": `3`, "(n)": `3`, "Tags[*].Missing": `[]`, "n[0]": `null`,
	} {
		var v any
		if err := json.Unmarshal([]byte(doc), &v); err != nil {
			t.Fatal(err)
		}
		f, err := parseQuery(query)
		if err != nil {
			t.Errorf("%s: %v", query, err)
			continue
		}
		if got, err := json.Marshal(f(v)); err != nil || string(got) != want {
			t.Errorf("%s = %s, %v, want %s", query, got, err, want)
		}
	}
	for _, query := range []string{"a.", ".a", "a[", "a[?b", "a[x", "a b", "f(a)", "length()", "length(a,b)", "'a", "a[1:2:3:4]", "{a}", "a||", "#", "a[]b", "-", "\"a"} {
		if _, err := parseQuery(query); err == nil {
			t.Errorf("%s was understood", query)
		}
	}
}
