package iam

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/iam"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/store"
)

// report is an account's credential report. The row is the account's.
type report struct {
	Generated time.Time `json:"generated"`
	Content   []byte    `json:"content"`
}

var reports = store.Table[report]{Name: "iam.report", Version: 1}

// reportLife is how long IAM hands out a report before it makes another one.
const reportLife = 4 * time.Hour

var reportColumns = []string{
	"user", "arn", "user_creation_time", "password_enabled", "password_last_used", "password_last_changed", "password_next_rotation", "mfa_active",
	"access_key_1_active", "access_key_1_last_rotated", "access_key_1_last_used_date", "access_key_1_last_used_region", "access_key_1_last_used_service",
	"access_key_2_active", "access_key_2_last_rotated", "access_key_2_last_used_date", "access_key_2_last_used_region", "access_key_2_last_used_service",
	"cert_1_active", "cert_1_last_rotated", "cert_2_active", "cert_2_last_rotated",
}

const reportTime = "2006-01-02T15:04:05-07:00"

// GenerateCredentialReport makes a report unless there is one of the last four
// hours.
func (s *Service) GenerateCredentialReport(ctx context.Context, _ *api.GenerateCredentialReportInput) (*api.GenerateCredentialReportOutput, error) {
	out := &api.GenerateCredentialReportOutput{State: "COMPLETE"}
	account, now := accountOf(ctx), s.clock.Now().UTC().Truncate(time.Second)
	return out, s.change(ctx, func(tx *store.Tx) (string, error) {
		old, err := reports.Get(tx, keyRow(account))
		switch {
		case err == nil && now.Before(old.Generated.Add(reportLife)):
			return "", nil
		case err != nil && !errors.Is(err, store.ErrNotFound):
			return "", err
		}
		out.State, out.Description = "STARTED", aws.Ptr("No report exists. Starting a new report generation task")
		content, err := s.credentialReport(tx, account)
		if err != nil {
			return "", err
		}
		return "arn:aws:iam::" + account + ":root", reports.Put(tx, keyRow(account), &report{now, content})
	})
}

// GetCredentialReport returns the report that was made last.
func (s *Service) GetCredentialReport(ctx context.Context, _ *api.GetCredentialReportInput) (*api.GetCredentialReportOutput, error) {
	r, err := view(ctx, s, func(tx *store.Tx) (*report, error) { return reports.Get(tx, keyRow(accountOf(ctx))) })
	if errors.Is(err, store.ErrNotFound) {
		return nil, awserr.Status(http.StatusGone, "ReportNotPresent", "No credential report exists. Call GenerateCredentialReport to make one.")
	}
	if err != nil {
		return nil, err
	}
	if !s.clock.Now().Before(r.Generated.Add(reportLife)) {
		return nil, awserr.Status(http.StatusGone, "ReportExpired", "The most recent credential report has expired. Call GenerateCredentialReport to make another one.")
	}
	return &api.GetCredentialReportOutput{Content: r.Content, ReportFormat: "text/csv", GeneratedTime: aws.Ptr(r.Generated)}, nil
}

// credentialReport writes the table: root, then the users by name.
func (s *Service) credentialReport(tx *store.Tx, account string) ([]byte, error) {
	row, err := accounts.Get(tx, keyRow(account))
	if err != nil {
		return nil, err
	}
	users, err := entitiesOf(tx, account, userKind)
	if err != nil {
		return nil, err
	}
	root, err := s.reportLine(tx, "<root_account>", "arn:aws:iam::"+account+":root", row.Created, account,
		"not_supported", "no_information", "not_supported", "not_supported")
	if err != nil {
		return nil, err
	}
	lines := [][]string{reportColumns, root}
	for _, u := range users {
		line, err := s.reportLine(tx, u.Name, u.arn(account), u.Created, u.ID, "false", "N/A", "N/A", "N/A")
		if err != nil {
			return nil, err
		}
		lines = append(lines, line)
	}
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	if err := w.WriteAll(lines); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

func (s *Service) reportLine(tx *store.Tx, name, arn string, created time.Time, owner string, password ...string) ([]string, error) {
	line := append([]string{name, arn, created.Format(reportTime)}, password...)
	line = append(line, "false") // nobody has an MFA device
	owned, err := keys.Lookup(tx, "owner", owner)
	if err != nil {
		return nil, err
	}
	slices.SortFunc(owned, func(a, b store.Row[accessKey]) int { return a.Value.Created.Compare(b.Value.Created) })
	for i := range maxKeysPerUser {
		if i >= len(owned) {
			line = append(line, "false", "N/A", "N/A", "N/A", "N/A")
			continue
		}
		u, err := s.lastUse(tx, owned[i].Key.ID)
		if err != nil {
			return nil, err
		}
		k := owned[i].Value
		line = append(line, strconv.FormatBool(k.Active), k.Created.Format(reportTime))
		if u == nil {
			line = append(line, "N/A", "N/A", "N/A")
		} else {
			line = append(line, u.At.Format(reportTime), u.Region, u.Service)
		}
	}
	return append(line, "false", "N/A", "false", "N/A"), nil
}
