package codedeploy

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	api "github.com/hardstand/hardstand/internal/aws/api/codedeploy"
	"github.com/hardstand/hardstand/internal/store"
)

// deploymentMessage is what a trigger publishes of a deployment, with the names,
// order and forms that AWS sends: overview, error and rollback are JSON in
// strings, statuses are upper case, times those of Java. (AWS's guide shows an
// older form.)
type deploymentMessage struct {
	Region      string  `json:"region"`
	Account     string  `json:"accountId"`
	Trigger     string  `json:"eventTriggerName"`
	Application string  `json:"applicationName"`
	Deployment  string  `json:"deploymentId"`
	Group       string  `json:"deploymentGroupName"`
	Created     string  `json:"createTime"`
	Completed   *string `json:"completeTime"`
	Overview    string  `json:"deploymentOverview,omitempty"`
	Status      string  `json:"status"`
	Error       string  `json:"errorInformation,omitempty"`
	Rollback    string  `json:"rollbackInformation,omitempty"`
}

// instanceMessage is what a trigger publishes of an instance, as AWS documents it.
type instanceMessage struct {
	Region     string         `json:"region"`
	Account    string         `json:"accountId"`
	Trigger    string         `json:"eventTriggerName"`
	Deployment string         `json:"deploymentId"`
	Instance   string         `json:"instanceId"`
	Updated    string         `json:"lastUpdatedAt"`
	Status     string         `json:"instanceStatus"`
	Events     []messageEvent `json:"lifecycleEvents"`
}

type messageEvent struct {
	Event  string `json:"LifecycleEvent"`
	Status string `json:"LifecycleEventStatus"`
	Start  string `json:"StartTime,omitempty"`
	End    string `json:"EndTime,omitempty"`
}

// compose writes subject and message.
func (n *notice) compose(tx *store.Tx, k store.Key, d *deployment, t *target) error {
	status, message := upper(string(d.Status)), any(nil)
	if t != nil {
		status, message = upper(string(t.Status)), n.ofInstance(k, t)
	} else {
		m, err := n.ofDeployment(tx, k, d)
		if err != nil {
			return err
		}
		message = m
	}
	n.Subject = fmt.Sprintf("%s: AWS CodeDeploy %s in %s to %s", status, d.ID, k.Region, d.ApplicationName)
	text, err := json.Marshal(message)
	n.Message = string(text)
	return err
}

func (n *notice) ofDeployment(tx *store.Tx, k store.Key, d *deployment) (*deploymentMessage, error) {
	m := &deploymentMessage{Region: k.Region, Account: k.Account, Trigger: n.Trigger, Application: d.ApplicationName, Deployment: d.ID,
		Group: d.GroupName, Created: javaTime(d.Created), Status: upper(string(d.Status))}
	parts := map[*string]any{}
	if d.ended() {
		completed := javaTime(d.Completed)
		m.Completed = &completed
		list, err := targetsOf(tx, d.ID)
		if err != nil {
			return nil, err
		}
		o := overview(list)
		parts[&m.Overview] = struct{ Succeeded, Failed, Skipped, InProgress, Pending int64 }{*o.Succeeded, *o.Failed, *o.Skipped, *o.InProgress, *o.Pending}
	}
	if d.ErrorCode != "" {
		parts[&m.Error] = struct{ ErrorCode, ErrorMessage string }{string(d.ErrorCode), d.ErrorMessage}
	}
	if d.ErrorCode != "" || d.RollbackOf != "" || d.RollbackID != "" {
		parts[&m.Rollback] = struct {
			RollbackMessage                string `json:",omitempty"`
			RollbackTriggeringDeploymentID string `json:"RollbackTriggeringDeploymentId,omitempty"`
			RollbackDeploymentID           string `json:"RollbackDeploymentId,omitempty"`
		}{d.RollbackMessage, d.RollbackOf, d.RollbackID}
	}
	for to, part := range parts {
		text, err := json.Marshal(part)
		if err != nil {
			return nil, err
		}
		*to = string(text)
	}
	return m, nil
}

func (n *notice) ofInstance(k store.Key, t *target) *instanceMessage {
	m := &instanceMessage{Region: k.Region, Account: k.Account, Trigger: n.Trigger, Deployment: t.DeploymentID, Instance: t.ARN,
		Updated: epoch(t.Updated), Status: string(t.Status), Events: []messageEvent{}}
	for _, e := range t.Events {
		m.Events = append(m.Events, messageEvent{e.Name, string(e.Status), epoch(e.Start), epoch(e.End)})
	}
	return m
}

// epoch is a time in seconds with three decimals, "" for none.
func epoch(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return fmt.Sprintf("%d.%03d", t.Unix(), t.Nanosecond()/int(time.Millisecond))
}

func javaTime(t time.Time) string { return t.UTC().Format("Mon Jan 02 15:04:05 UTC 2006") }

// upper turns InProgress into IN_PROGRESS.
func upper(status string) string {
	if status == string(api.DeploymentStatusInProgress) {
		return "IN_PROGRESS"
	}
	return strings.ToUpper(status)
}
