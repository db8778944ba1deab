package identity

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/hardstand/hardstand/internal/agent/sentence"
	"github.com/hardstand/hardstand/internal/aws/sign"
)

// fromOnPremises reads the on-premises file; nil without one that names an
// identity.
func fromOnPremises(path string) (*Host, error) {
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) || path == "" {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read on-premises configuration: %w", err)
	}
	raw := map[string]any{}
	if err := yaml.Unmarshal(data, &raw); err != nil {
		return nil, sentence.Errorf("The deployment failed because the format of the following on-premises configuration file is invalid: %s", path)
	}
	values := map[string]string{}
	for k, v := range raw {
		if v != nil {
			values[strings.Trim(k, ":")] = fmt.Sprint(v)
		}
	}
	return onPremisesHost(values)
}

func onPremisesHost(v map[string]string) (*Host, error) {
	user, session := v["iam_user_arn"], v["iam_session_arn"]
	var key string
	var needed []string
	switch {
	case user != "" && session != "":
		return nil, sentence.Errorf("On Premises config cannot contain both 'iam_user_arn' and 'iam_session_arn' keys.")
	case user != "":
		key, needed = "iam_user_arn", []string{"region", "aws_access_key_id", "aws_secret_access_key"}
	case session != "":
		key, needed = "iam_session_arn", []string{"region", "aws_credentials_file"}
	default:
		return nil, nil
	}
	for _, field := range needed {
		if v[field] == "" {
			return nil, sentence.Errorf("'%s' key is required when '%s' is provided.", field, key)
		}
	}
	h := &Host{ID: v[key], Region: v["region"], Partition: "aws", Domain: defaultDomain(v["region"])}
	if p := strings.Split(h.ID, ":"); len(p) > 1 {
		h.Partition = p[1]
	}
	if user != "" {
		h.provider = fixed{AccessKeyID: v["aws_access_key_id"], SecretAccessKey: v["aws_secret_access_key"]}
	} else {
		h.provider = sharedFile(v["aws_credentials_file"])
	}
	return h, nil
}

func defaultDomain(region string) string {
	if strings.HasPrefix(region, "cn-") {
		return "amazonaws.com.cn"
	}
	if strings.HasPrefix(region, "eusc-") {
		return "amazonaws.eu"
	}
	return "amazonaws.com"
}

type fixed sign.Credentials

func (f fixed) retrieve(context.Context) (sign.Credentials, error) { return sign.Credentials(f), nil }

// sharedFile is a credentials file in ini form, of which the default profile is
// read anew at each renewal.
type sharedFile string

func (s sharedFile) retrieve(context.Context) (sign.Credentials, error) {
	f, err := os.Open(string(s))
	if err != nil {
		return sign.Credentials{}, fmt.Errorf("read session credentials: %w", err)
	}
	defer f.Close()
	var c sign.Credentials
	section := ""
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		line := strings.TrimSpace(lines.Text())
		if strings.HasPrefix(line, "[") {
			section = strings.Trim(line, "[]")
			continue
		}
		name, value, ok := strings.Cut(line, "=")
		if !ok || section != "default" {
			continue
		}
		switch strings.TrimSpace(name) {
		case "aws_access_key_id":
			c.AccessKeyID = strings.TrimSpace(value)
		case "aws_secret_access_key":
			c.SecretAccessKey = strings.TrimSpace(value)
		case "aws_session_token":
			c.SessionToken = strings.TrimSpace(value)
		}
	}
	if c.AccessKeyID == "" || c.SecretAccessKey == "" {
		return c, fmt.Errorf("%s has no keys in its [default] profile", string(s))
	}
	return c, lines.Err()
}
