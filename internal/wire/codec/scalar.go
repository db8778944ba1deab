package codec

import (
	"encoding/base64"
	"math"
	"net/http"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/hardstand/hardstand/internal/aws/model"
)

// Timestamp formats, named as in the models.
const (
	timeISO  = "iso8601"
	timeHTTP = "rfc822"
	timeUnix = "unixTimestamp"
)

// isoLayout is how query, EC2 and S3 bodies write times.
const isoLayout = "2006-01-02T15:04:05.000Z"

// appendText appends the text form of a scalar; format is the timestamp format
// where the shape names none.
func appendText(b []byte, sh *model.Shape, v reflect.Value, format string) []byte {
	switch sh.Kind {
	case model.Integer, model.Long:
		return strconv.AppendInt(b, v.Int(), 10)
	case model.Float, model.Double:
		return appendFloat(b, v.Float())
	case model.Boolean:
		return strconv.AppendBool(b, v.Bool())
	case model.Timestamp:
		if sh.TimestampFormat != "" {
			format = sh.TimestampFormat
		}
		return appendTime(b, v.Interface().(time.Time), format)
	case model.Blob:
		return base64.StdEncoding.AppendEncode(b, v.Bytes())
	}
	return append(b, v.String()...)
}

func appendFloat(b []byte, f float64) []byte {
	switch {
	case math.IsNaN(f):
		return append(b, "NaN"...)
	case math.IsInf(f, 0):
		if f < 0 {
			b = append(b, '-')
		}
		return append(b, "Infinity"...)
	}
	return strconv.AppendFloat(b, f, 'f', -1, 64)
}

func appendTime(b []byte, t time.Time, format string) []byte {
	switch format {
	case timeHTTP:
		return t.UTC().AppendFormat(b, http.TimeFormat)
	case timeUnix:
		return appendEpoch(b, t)
	}
	return t.UTC().AppendFormat(b, isoLayout)
}

// appendEpoch writes seconds, with milliseconds where there are any.
func appendEpoch(b []byte, t time.Time) []byte {
	return strconv.AppendFloat(b, float64(t.UnixMilli())/1000, 'f', -1, 64)
}

// setText stores the scalar that text stands for. Strings are taken as they are,
// other kinds without surrounding blanks.
func setText(v reflect.Value, sh *model.Shape, text, path string) error {
	if sh.Kind == model.String {
		v.SetString(text)
		return nil
	}
	bad := func() error { return badValue(path, text, sh.Kind) }
	s := strings.TrimSpace(text)
	switch sh.Kind {
	case model.Integer, model.Long:
		n, err := strconv.ParseInt(s, 10, v.Type().Bits())
		if err != nil {
			return bad()
		}
		v.SetInt(n)
	case model.Float, model.Double:
		f, err := strconv.ParseFloat(s, 64)
		if err != nil {
			return bad()
		}
		v.SetFloat(f)
	case model.Boolean:
		switch s {
		case "true", "True", "TRUE":
			v.SetBool(true)
		case "false", "False", "FALSE":
			v.SetBool(false)
		default:
			return bad()
		}
	case model.Timestamp:
		t, err := parseTime(s)
		if err != nil {
			return bad()
		}
		v.Set(reflect.ValueOf(t))
	case model.Blob:
		raw, err := base64.StdEncoding.DecodeString(s)
		if err != nil {
			return bad()
		}
		v.SetBytes(raw)
	}
	return nil
}

// timeLayouts are the text forms that clients send. Each is unambiguous, so the
// format that the shape names need not be looked at.
var timeLayouts = []string{time.RFC3339Nano, "2006-01-02T15:04:05", "20060102T150405Z", "2006-01-02"}

func parseTime(s string) (time.Time, error) {
	if sec, err := strconv.ParseFloat(s, 64); err == nil {
		return epoch(sec)
	}
	for _, layout := range timeLayouts {
		if t, err := time.Parse(layout, s); err == nil {
			return t.UTC(), nil
		}
	}
	t, err := http.ParseTime(s)
	return t.UTC(), err
}

// epoch keeps milliseconds: a float64 has no more for today's dates that is
// worth keeping.
func epoch(sec float64) (time.Time, error) {
	const year10000 = 253402300800
	if math.IsNaN(sec) || sec < -year10000 || sec >= year10000 {
		return time.Time{}, strconv.ErrRange
	}
	return time.UnixMilli(int64(math.Round(sec * 1000))).UTC(), nil
}
