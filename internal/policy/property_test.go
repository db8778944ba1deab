package policy

import (
	"math/rand/v2"
	"testing"
	"time"
)

// TestMonotony: an added deny never allows more, an added allow never allows less.
func TestMonotony(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	pick := func(s ...string) string { return s[rnd.IntN(len(s))] }
	statement := func() Statement {
		d, err := Parse(`{"Version":"2012-10-17","Statement":{"Effect":"`+pick("Allow", "Deny")+`","`+pick("Action", "NotAction")+`":"`+pick("*", "s3:*", "s3:Get*", "ec2:*")+
			`","`+pick("Resource", "NotResource")+`":"`+pick("*", "arn:aws:s3:::b/*", "arn:aws:s3:::b/${aws:username}", "arn:aws:s3:::c")+
			`","Condition":{"`+pick("StringEquals", "StringNotLike", "ForAllValues:StringLike", "StringEqualsIfExists")+`":{"`+pick("aws:username", "aws:none")+`":"`+pick("ann", "b*", "${aws:none}")+`"}}}}`, Identity)
		if err != nil {
			t.Fatal(err)
		}
		return d.Statements[0]
	}
	req := Request{Principal: ann, Action: "s3:GetObject", Resource: "arn:aws:s3:::b/ann", Context: NewContext(map[string][]string{"aws:username": {"ann"}})}
	decide := func(s []Statement) bool {
		return Evaluate(req, Set{Identity: []Source{{"p", &Document{Statements: s}}}}).Decision == Allowed
	}
	for range 5000 {
		var list []Statement
		for range rnd.IntN(4) {
			list = append(list, statement())
		}
		before, added := decide(list), statement()
		after := decide(append(list[:len(list):len(list)], added))
		if added.Effect == Deny && after && !before || added.Effect == Allow && before && !after {
			t.Fatalf("%v became %v with %+v added to %+v", before, after, added, list)
		}
	}
}

// TestPatternTime: a hostile pattern is matched in bounded time.
func TestPatternTime(t *testing.T) {
	text, want := make([]byte, 2000), ""
	for i := range text {
		text[i] = 'a'
	}
	for range 500 {
		want += "*a"
	}
	start := time.Now()
	p, _ := compile(want+"b", true, nil)
	if p.match(string(text)) || time.Since(start) > time.Second {
		t.Errorf("took %v", time.Since(start))
	}
}

func FuzzParse(f *testing.F) {
	f.Add(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"arn:aws:s3:::${aws:username, 'x'}/*","Condition":{"ForAnyValue:NumericLessThanIfExists":{"a:b":[1,"2"]},"Null":{"c:d":"true"}}}]}`)
	f.Add(`{"Statement":{"Effect":"Deny","NotPrincipal":{"AWS":"*","Service":["a.amazonaws.com"]},"NotAction":"sts:*","NotResource":"*"}}`)
	f.Fuzz(func(t *testing.T, text string) {
		for _, kind := range []Kind{Identity, Resource, Trust} {
			d, err := Parse(text, kind)
			if err != nil {
				continue
			}
			src := Source{"p", d}
			req := Request{Principal: ann, Action: "sts:AssumeRole", Resource: "arn:aws:s3:::b/k", Context: NewContext(map[string][]string{"a:b": {"1", "x"}})}
			Evaluate(req, Set{Identity: []Source{src}, Resource: &src, Boundary: &src, Session: []Source{src}})
			d.ContextKeys()
			d.Principals()
		}
	})
}
