package s3

import (
	"net/netip"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/hardstand/hardstand/internal/aws/awserr"
)

const maxKeyBytes = 1024

var bucketForm = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$`)

// reservedPrefixes and reservedSuffixes are kept by AWS for other things.
var (
	reservedPrefixes = []string{"xn--", "sthree-", "amzn-s3-demo-"}
	reservedSuffixes = []string{"-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3"}
)

// validBucketName applies S3's rules for new general purpose buckets.
func validBucketName(name string) error {
	_, ip := netip.ParseAddr(name)
	ok := bucketForm.MatchString(name) && !strings.Contains(name, "..") && ip != nil
	for _, p := range reservedPrefixes {
		ok = ok && !strings.HasPrefix(name, p)
	}
	for _, s := range reservedSuffixes {
		ok = ok && !strings.HasSuffix(name, s)
	}
	if !ok {
		return awserr.New("InvalidBucketName", "The specified bucket is not valid.").With("BucketName", name)
	}
	return nil
}

// validKey accepts any UTF-8 text of at most 1024 bytes. \x00 is refused: it
// separates the parts of row ids.
func validKey(key string) error {
	switch {
	case len(key) > maxKeyBytes:
		return awserr.New("KeyTooLongError", "Your key is too long").
			With("Size", strconv.Itoa(len(key))).With("MaxSizeAllowed", strconv.Itoa(maxKeyBytes))
	case key == "", !utf8.ValidString(key), strings.Contains(key, "\x00"):
		return awserr.New("InvalidURI", "Couldn't parse the specified URI.")
	}
	return nil
}
