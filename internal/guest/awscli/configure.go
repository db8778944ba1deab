package awscli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/hardstand/hardstand/internal/guest/awsclient"
)

// secretKeys go to the credentials file, everything else to the config file.
var secretKeys = map[string]bool{"aws_access_key_id": true, "aws_secret_access_key": true, "aws_session_token": true}

// configure is `aws configure set|get|list`; ok is false for what is handed over.
func (cli *CLI) configure(args, all []string) (code int, ok bool) {
	profile := os.Getenv("AWS_PROFILE")
	var words []string
	for i := 0; i < len(args); i++ {
		switch a := args[i]; {
		case a == "--profile" && i+1 < len(args):
			i++
			profile = args[i]
		case strings.HasPrefix(a, "--profile="):
			profile = strings.TrimPrefix(a, "--profile=")
		case strings.HasPrefix(a, "--"):
			return 0, false
		default:
			words = append(words, a)
		}
	}
	if len(all) != len(args) {
		return 0, false // options before the word configure
	}
	if profile == "" {
		profile = "default"
	}
	switch {
	case len(words) == 3 && words[0] == "set":
		if err := setConfig(profile, words[1], words[2]); err != nil {
			fmt.Fprintf(cli.Stderr, "\n%v\n", err)
			return exitOther, true
		}
		return 0, true
	case len(words) == 2 && words[0] == "get":
		return cli.getConfig(profile, words[1]), true
	case len(words) == 1 && words[0] == "list":
		return cli.listConfig(profile), true
	}
	return 0, false
}

// place says where a key is kept: file, section and plain key. A dotted name
// names its profile.
func place(profile, name string) (file, section, key string) {
	parts := strings.Split(name, ".")
	switch {
	case len(parts) == 3 && parts[0] == "profile":
		profile, key = parts[1], parts[2]
	case len(parts) == 2 && parts[0] == "default":
		profile, key = "default", parts[1]
	case len(parts) == 2:
		profile, key = parts[0], parts[1]
	default:
		key = name
	}
	if secretKeys[key] {
		return awsclient.CredentialsFile(), profile, key
	}
	if profile == "default" {
		return awsclient.ConfigFile(), "default", key
	}
	return awsclient.ConfigFile(), "profile " + profile, key
}

func (cli *CLI) getConfig(profile, name string) int {
	file, section, key := place(profile, name)
	sections, err := awsclient.ReadINI(file)
	if err != nil {
		fmt.Fprintf(cli.Stderr, "\n%v\n", err)
		return exitOther
	}
	v, ok := sections[section][strings.ToLower(key)]
	if !ok {
		return 1
	}
	fmt.Fprintln(cli.Stdout, v)
	return 0
}

func setConfig(profile, name, value string) error {
	file, section, key := place(profile, name)
	if strings.ContainsAny(value, "\r\n") || strings.ContainsAny(section+key, "[]\r\n=") {
		return fmt.Errorf("invalid name or value for %s", name)
	}
	content, err := os.ReadFile(file)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return err
	}
	return os.WriteFile(file, []byte(setLine(string(content), section, key, value)), 0o600)
}

// setLine puts key = value into a section, keeping everything else as it is.
func setLine(content, section, key, value string) string {
	line := key + " = " + value
	lines := strings.Split(strings.TrimRight(content, "\n"), "\n")
	if content == "" {
		lines = nil
	}
	inside, end := false, -1
	for i, l := range lines {
		trimmed := strings.TrimSpace(l)
		if strings.HasPrefix(trimmed, "[") {
			inside = strings.TrimSpace(strings.Trim(trimmed, "[]")) == section
		}
		if !inside {
			continue
		}
		end = i + 1
		if k, _, ok := strings.Cut(l, "="); ok && strings.TrimSpace(k) == key {
			lines[i] = line
			return strings.Join(lines, "\n") + "\n"
		}
	}
	if end < 0 {
		lines = append(lines, "["+section+"]", line)
	} else {
		lines = append(lines[:end:end], append([]string{line}, lines[end:]...)...)
	}
	return strings.Join(lines, "\n") + "\n"
}

// listConfig is `aws configure list`: which value comes from where. Of keys only
// the last four characters are shown.
func (cli *CLI) listConfig(profile string) int {
	o := cli.Options
	if profile != "default" {
		o.Profile = profile
	}
	ctx := context.Background()
	s, err := awsclient.Load(ctx, o)
	if err != nil {
		fmt.Fprintf(cli.Stderr, "\n%v\n", err)
		return exitOther
	}
	const row = "%10s %24s %16s    %s\n"
	fmt.Fprintf(cli.Stdout, row, "Name", "Value", "Type", "Location")
	fmt.Fprintf(cli.Stdout, row, "----", "-----", "----", "--------")
	fmt.Fprintf(cli.Stdout, row, "profile", profile, "manual", "--profile")
	creds, source, err := s.Source(ctx)
	if err != nil {
		source = "None"
	}
	fmt.Fprintf(cli.Stdout, row, "access_key", masked(creds.AccessKeyID), source, "")
	fmt.Fprintf(cli.Stdout, row, "secret_key", masked(creds.SecretAccessKey), source, "")
	region := s.Region
	if region == "" {
		region = "<not set>"
	}
	fmt.Fprintf(cli.Stdout, row, "region", region, "", "")
	return 0
}

func masked(s string) string {
	if len(s) < 8 {
		return "<not set>"
	}
	return strings.Repeat("*", 16) + s[len(s)-4:]
}
