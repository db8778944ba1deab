package policy

import "testing"

func TestDraft(t *testing.T) {
	const own = `{"Statement":{"Sid":"mine","Effect":"Allow","Principal":"*","Action":"sqs:*","Resource":"*"}}`
	d, err := OpenDraft(own, "unused")
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Grant("lent", []string{"123456789012"}, []string{"SQS:SendMessage"}, "arn:aws:sqs:us-east-1:210987654321:q"); err != nil {
		t.Fatal(err)
	}
	text, err := d.Text()
	const want = `{"Version":"2008-10-17","Statement":[{"Sid":"mine","Effect":"Allow","Principal":"*","Action":"sqs:*","Resource":"*"},` +
		`{"Sid":"lent","Effect":"Allow","Principal":{"AWS":"arn:aws:iam::123456789012:root"},"Action":"SQS:SendMessage","Resource":"arn:aws:sqs:us-east-1:210987654321:q"}]}`
	if err != nil || text != want {
		t.Errorf("%s, %v", text, err)
	}
	if _, err := Parse(text, Resource); err != nil {
		t.Error(err)
	}
	if !d.Has("lent") || !d.Remove("lent") || d.Remove("lent") || !d.Remove("mine") {
		t.Error("statements are not found by their Sid")
	}
	if text, _ := d.Text(); text != "" {
		t.Errorf("a policy without statements is %s", text)
	}
}
