package cloudwatch

import (
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/cloudwatch"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/store"
)

// Dashboards are documents: they are checked and kept, and there is no console that
// draws them.

var dashboardName = regexp.MustCompile(`^[0-9A-Za-z_-]{1,255}$`)

func dashboardKey(c aws.Call, name string) store.Key { return store.Key{Account: c.Account, ID: name} }

func noDashboard(name string) error {
	return awserr.Status(404, "ResourceNotFound", "Dashboard %s does not exist", name)
}

// PutDashboard makes or replaces a dashboard.
func (s *Service) PutDashboard(ctx context.Context, in *api.PutDashboardInput) (*api.PutDashboardOutput, error) {
	if !dashboardName.MatchString(*in.DashboardName) {
		return nil, invalidValue("The value %s for field DashboardName contains invalid characters. It can only contain alphanumerics, dash (-) and underscore (_).", *in.DashboardName)
	}
	if err := judgeBody(*in.DashboardBody); err != nil {
		return nil, err
	}
	d := dashboard{Name: *in.DashboardName, Body: *in.DashboardBody, Modified: s.cfg.Clock.Now().UTC()}
	k := dashboardKey(aws.CallFrom(ctx), d.Name)
	err := s.cfg.DB.Update(ctx, func(tx *store.Tx) error {
		old, err := dashboards.Get(tx, k)
		switch {
		case err == nil:
			d.Tags = old.Tags
		case isNotFound(err):
			if d.Tags, err = addTags(nil, in.Tags); err != nil {
				return err
			}
		default:
			return err
		}
		return dashboards.Put(tx, k, &d)
	})
	return &api.PutDashboardOutput{DashboardValidationMessages: []api.DashboardValidationMessage{}}, err
}

// judgeBody checks what every dashboard has: widgets of a known type with
// properties.
func judgeBody(body string) error {
	var doc struct {
		Widgets []struct {
			Type       string
			Properties map[string]any
		}
	}
	bad := func(path, format string, args ...any) error {
		text := fmt.Sprintf(format, args...)
		messages, _ := json.Marshal([]map[string]string{{"dataPath": path, "message": text}})
		return awserr.New("InvalidParameterInput", "The dashboard body is invalid, there are 1 validation errors: %s", messages)
	}
	if err := json.Unmarshal([]byte(body), &doc); err != nil {
		return bad("", "The field DashboardBody must be a valid JSON object")
	}
	if doc.Widgets == nil {
		return bad("/", "Should have required property 'widgets'")
	}
	for i, w := range doc.Widgets {
		switch {
		case w.Type == "":
			return bad(fmt.Sprintf("/widgets/%d", i), "Should have required property 'type'")
		case w.Properties == nil:
			return bad(fmt.Sprintf("/widgets/%d", i), "Should have required property 'properties'")
		}
	}
	return nil
}

// GetDashboard returns a dashboard's document.
func (s *Service) GetDashboard(ctx context.Context, in *api.GetDashboardInput) (*api.GetDashboardOutput, error) {
	c := aws.CallFrom(ctx)
	var d *dashboard
	err := s.cfg.DB.View(ctx, func(tx *store.Tx) (err error) {
		d, err = dashboards.Get(tx, dashboardKey(c, *in.DashboardName))
		return err
	})
	if isNotFound(err) {
		return nil, noDashboard(*in.DashboardName)
	}
	if err != nil {
		return nil, err
	}
	return &api.GetDashboardOutput{DashboardName: &d.Name, DashboardBody: &d.Body, DashboardArn: aws.Ptr(dashboardARN(c.Account, d.Name))}, nil
}

// ListDashboards lists dashboards by name.
func (s *Service) ListDashboards(ctx context.Context, in *api.ListDashboardsInput) (*api.ListDashboardsOutput, error) {
	c := aws.CallFrom(ctx)
	const limit = 1000
	var list []*dashboard
	err := s.cfg.DB.View(ctx, func(tx *store.Tx) error {
		rows, err := dashboards.List(tx, store.Scope{Account: c.Account}, "", 0)
		for _, r := range rows {
			if strings.HasPrefix(r.Value.Name, aws.Val(in.DashboardNamePrefix)) {
				list = append(list, r.Value)
			}
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	list, next, err := page(list, in.NextToken, limit, func(d *dashboard) string { return d.Name })
	out := &api.ListDashboardsOutput{DashboardEntries: []api.DashboardEntry{}, NextToken: next}
	for _, d := range list {
		out.DashboardEntries = append(out.DashboardEntries, api.DashboardEntry{DashboardName: &d.Name, DashboardArn: aws.Ptr(dashboardARN(c.Account, d.Name)),
			LastModified: &d.Modified, Size: aws.Ptr(int64(len(d.Body)))})
	}
	return out, err
}

// DeleteDashboards removes dashboards, all or none.
func (s *Service) DeleteDashboards(ctx context.Context, in *api.DeleteDashboardsInput) (*api.DeleteDashboardsOutput, error) {
	c := aws.CallFrom(ctx)
	return &api.DeleteDashboardsOutput{}, s.cfg.DB.Update(ctx, func(tx *store.Tx) error {
		for _, name := range in.DashboardNames {
			err := dashboards.Delete(tx, dashboardKey(c, name))
			if isNotFound(err) {
				return noDashboard(name)
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// DescribeAnomalyDetectors finds none: they cannot be made here.
func (s *Service) DescribeAnomalyDetectors(context.Context, *api.DescribeAnomalyDetectorsInput) (*api.DescribeAnomalyDetectorsOutput, error) {
	return &api.DescribeAnomalyDetectorsOutput{AnomalyDetectors: []api.AnomalyDetector{}}, nil
}
