package codec_test

import (
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/fxamacker/cbor/v2"

	"github.com/hardstand/hardstand/internal/aws"
	"github.com/hardstand/hardstand/internal/aws/api/cloudwatch"
	"github.com/hardstand/hardstand/internal/wire/codec"
)

var putMetricData = cloudwatch.Model().Operations["PutMetricData"].Input

func TestCBORRoundTrip(t *testing.T) {
	in := &cloudwatch.PutMetricDataInput{Namespace: aws.Ptr("é" + strings.Repeat("n", 300)), StrictEntityValidation: aws.Ptr(true), MetricData: []cloudwatch.MetricDatum{{
		MetricName: aws.Ptr("m"), Timestamp: aws.Ptr(time.UnixMilli(1_700_000_000_123).UTC()), Values: []float64{1, -2.5, math.Inf(1)}, Counts: []float64{},
		Unit: "Count", StorageResolution: aws.Ptr[int32](-70_000), Dimensions: []cloudwatch.Dimension{{Name: aws.Ptr("a"), Value: aws.Ptr("")}},
	}}, EntityMetricData: []cloudwatch.EntityMetricData{{Entity: &cloudwatch.Entity{Attributes: map[string]string{"b": "c"}}}}}
	doc, err := codec.AppendCBOR(nil, putMetricData, in, false)
	if err != nil {
		t.Fatal(err)
	}
	out := &cloudwatch.PutMetricDataInput{}
	if err := codec.DecodeCBOR(doc, putMetricData, out); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(in, out) {
		t.Errorf("%+v became %+v", in, out)
	}
}

func TestCBORRefuses(t *testing.T) {
	encode := func(v any) []byte {
		doc, err := cbor.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return doc
	}
	deep := any("x")
	for range codec.MaxDepth + 1 {
		deep = []any{deep}
	}
	for _, c := range []struct {
		name string
		doc  []byte
		want string
	}{
		{"cut short", encode(map[string]any{"Namespace": "n"})[:5], "EOF"},
		{"trailing bytes", append(encode(map[string]any{}), 0), "extraneous"},
		{"no map", encode([]any{1}), "not a CBOR map"},
		{"keys that are no text", encode(map[int]any{1: 2}), "cannot unmarshal"},
		{"too deep", encode(map[string]any{"Namespace": deep}), "nested"},
		{"unknown member", encode(map[string]any{"Nonsense": 1}), "unknown member"},
		{"wrong kind", encode(map[string]any{"Namespace": 1}), "is not a valid string"},
		{"tag", encode(map[string]any{"Namespace": cbor.Tag{Number: 99, Content: 1}}), "another kind"},
		{"twice", []byte("\xa2\x61a\x01\x61a\x02"), "duplicate"},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := codec.DecodeCBOR(c.doc, putMetricData, &cloudwatch.PutMetricDataInput{})
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want %s", err, c.want)
			}
		})
	}
}

func FuzzCBOR(f *testing.F) {
	for _, seed := range []any{map[string]any{"Namespace": "n", "MetricData": []any{map[string]any{"MetricName": "m", "Value": 1.5,
		"Timestamp": cbor.Tag{Number: 1, Content: 1.7e9}}}}, []any{}, map[string]any{"StrictEntityValidation": true}} {
		doc, err := cbor.Marshal(seed)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(doc)
	}
	f.Add([]byte("\xbf\x69Namespace\x61n\xff"))
	f.Fuzz(func(t *testing.T, doc []byte) {
		in := &cloudwatch.PutMetricDataInput{}
		if codec.DecodeCBOR(doc, putMetricData, in) != nil {
			return
		}
		again, err := codec.AppendCBOR(nil, putMetricData, in, false)
		if err != nil {
			t.Fatal(err)
		}
		if err := codec.DecodeCBOR(again, putMetricData, &cloudwatch.PutMetricDataInput{}); err != nil {
			t.Fatalf("%v in %x", err, again)
		}
	})
}
