package ssm

import (
	"regexp"
	"strings"
	"time"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/ssm"
)

// Public parameters name images. The forms are AWS's, Canonical's and Debian's;
// all stand for the one image there is, which is x86-64. What stands under the
// prefixes in another form does not exist.
var publicNames = []*regexp.Regexp{
	regexp.MustCompile(`^/aws/service/ami-amazon-linux-latest/(amzn-ami-(hvm|minimal-hvm|pv|minimal-pv)-x86_64-(gp2|ebs|s3)|amzn2-ami-(minimal-)?hvm-x86_64-(gp2|ebs)|amzn2-ami-kernel-(5\.10|4\.14)-hvm-x86_64-(gp2|ebs)|al2023-ami-(minimal-)?kernel-(default|6\.1|6\.12)-x86_64)$`),
	regexp.MustCompile(`^/aws/service/canonical/ubuntu/(server|server-minimal|pro-server|eks|pro-fips-server)/[a-z0-9.]+/(stable|daily)/(current|\d{8}(\.\d+)?)/amd64/hvm/ebs-(gp2|gp3|ssd)/ami-id$`),
	regexp.MustCompile(`^/aws/service/debian/(release|daily)/[a-z0-9]+/(latest|\d{8}-\d+)/amd64$`),
}

// publicPrefix is where they are; nobody can write there.
const publicPrefix = "/aws/service/"

// published is when the image that they name was made, as DescribeImages says.
var published = time.Date(2025, 1, 16, 0, 0, 0, 0, time.UTC)

func isPublic(name string) bool { return strings.HasPrefix(name, publicPrefix) }

// public returns a public parameter, or false.
func (s *Service) public(c aws.Call, name string) (api.Parameter, bool) {
	for _, re := range publicNames {
		if re.MatchString(name) {
			return api.Parameter{Name: &name, Type: api.ParameterTypeString, Value: aws.Ptr(s.cfg.ImageID(name)), Version: aws.Ptr[int64](1),
				LastModifiedDate: aws.Ptr(published), ARN: aws.Ptr(parameterARN(c, name)), DataType: aws.Ptr("text")}, true
		}
	}
	return api.Parameter{}, false
}

// wellKnown are the public parameters that a listing by path shows.
var wellKnown = []string{
	"/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-6.1-x86_64",
	"/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64",
	"/aws/service/ami-amazon-linux-latest/al2023-ami-minimal-kernel-default-x86_64",
	"/aws/service/ami-amazon-linux-latest/amzn-ami-hvm-x86_64-gp2",
	"/aws/service/ami-amazon-linux-latest/amzn2-ami-hvm-x86_64-gp2",
	"/aws/service/ami-amazon-linux-latest/amzn2-ami-kernel-5.10-hvm-x86_64-gp2",
	"/aws/service/canonical/ubuntu/server/22.04/stable/current/amd64/hvm/ebs-gp2/ami-id",
	"/aws/service/canonical/ubuntu/server/24.04/stable/current/amd64/hvm/ebs-gp3/ami-id",
	"/aws/service/debian/release/11/latest/amd64",
	"/aws/service/debian/release/12/latest/amd64",
}
