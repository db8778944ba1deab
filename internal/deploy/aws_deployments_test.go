package deploy

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

func (f *fakeAWS) codeDeploy(op string, in map[string]any) (out map[string]any, refusal string) {
	switch op {
	case "CreateApplication":
		return map[string]any{"applicationId": "a"}, ""
	case "CreateDeploymentGroup":
		name := in["deploymentGroupName"].(string)
		if f.groups[name] != nil {
			return nil, "400 DeploymentGroupAlreadyExistsException: exists"
		}
		f.groups[name] = in
		return map[string]any{"deploymentGroupId": "g"}, ""
	case "UpdateDeploymentGroup":
		f.groups[in["currentDeploymentGroupName"].(string)] = in
		return map[string]any{}, ""
	case "GetDeploymentGroup":
		return f.group(in["deploymentGroupName"].(string))
	case "ListDeployments":
		return f.list(in["includeOnlyStatuses"].([]any)), ""
	case "BatchGetDeployments":
		var infos []any
		for _, id := range in["deploymentIds"].([]any) {
			one, _ := f.codeDeploy("GetDeployment", map[string]any{"deploymentId": id})
			infos = append(infos, one["deploymentInfo"])
		}
		return map[string]any{"deploymentsInfo": infos}, ""
	case "CreateDeployment":
		if f.busy--; f.busy >= 0 {
			return nil, "400 DeploymentLimitExceededException: The Deployment Group 'app-group' already has an active Deployment 'd-OTHER'"
		}
		d := fakeDeployment{status: "Succeeded"}
		if len(f.deployments) < len(f.ends) {
			d = f.ends[len(f.deployments)]
		}
		if r, ok := in["revision"].(map[string]any); ok {
			d.key, _ = r["s3Location"].(map[string]any)["key"].(string)
		}
		d.creator = "user"
		f.config, _ = in["deploymentConfigName"].(string)
		d.description, _ = in["description"].(string)
		f.deployments = append(f.deployments, d)
		id := deploymentID(len(f.deployments))
		if f.onRollback != nil {
			f.deployments = append(f.deployments, *f.onRollback)
		}
		return map[string]any{"deploymentId": id}, ""
	}
	n, err := strconv.Atoi(strings.TrimLeft(strings.TrimPrefix(in["deploymentId"].(string), "d-"), "0"))
	if err != nil || n > len(f.deployments) {
		return nil, "400 DeploymentDoesNotExistException: no such deployment"
	}
	if op == "StopDeployment" {
		return f.stop(&f.deployments[n-1], deploymentID(n), in["autoRollbackEnabled"] == true)
	}
	return f.deployments[n-1].answer(op, deploymentID(n))
}

// group is a group with what happened last in it; what runs is no attempt yet.
func (f *fakeAWS) group(name string) (out map[string]any, refusal string) {
	if f.groups[name] == nil {
		return nil, "400 DeploymentGroupDoesNotExistException: No Deployment Group found for name: " + name
	}
	info := maps.Clone(f.groups[name])
	for n, d := range f.deployments {
		last := map[string]any{"deploymentId": deploymentID(n + 1), "status": d.status}
		if d.current() == "InProgress" {
			continue
		}
		info["lastAttemptedDeployment"] = last
		if d.status == "Succeeded" {
			info["lastSuccessfulDeployment"] = last
		}
	}
	return map[string]any{"deploymentGroupInfo": info}, ""
}

// list lists in an order that is nobody's, as AWS may.
func (f *fakeAWS) list(statuses []any) map[string]any {
	ids := []string{}
	for n, d := range f.deployments {
		if slices.Contains(statuses, any(d.current())) {
			ids = append(ids, deploymentID(n+1))
		}
	}
	return map[string]any{"deployments": ids}
}

func (f *fakeAWS) stop(d *fakeDeployment, id string, rollback bool) (out map[string]any, refusal string) {
	if d.current() != "InProgress" {
		return nil, "400 DeploymentAlreadyCompletedException: it has"
	}
	d.states, d.status, d.code, d.msg = nil, "Stopped", "MANUAL_STOP", "stopped"
	if f.onStop != nil && rollback {
		back := *f.onStop
		back.rollbackOf, back.creator = id, "codeDeployRollback"
		d.rollback = deploymentID(len(f.deployments) + 1)
		f.deployments = append(f.deployments, back)
	}
	return map[string]any{"status": "Pending"}, ""
}

// current is the status that the next question gets.
func (d *fakeDeployment) current() string {
	if len(d.states) > 0 {
		return d.states[0]
	}
	return d.status
}

func deploymentID(n int) string { return fmt.Sprintf("d-%09d", n) }

func (d *fakeDeployment) answer(op, id string) (out map[string]any, refusal string) {
	switch op {
	case "GetDeployment":
		status := d.current()
		if len(d.states) > 0 {
			d.states = d.states[1:]
		}
		n, _ := strconv.Atoi(strings.TrimLeft(id, "d-0"))
		info := map[string]any{
			"deploymentId": id, "status": status, "creator": d.creator, "description": d.description, "createTime": 1767225600 + 60*n,
			"revision": map[string]any{"revisionType": "S3", "s3Location": map[string]any{"bucket": "b", "key": d.key, "bundleType": "zip"}},
		}
		if d.code != "" {
			info["errorInformation"] = map[string]any{"code": d.code, "message": d.msg}
		}
		if d.rollback != "" || d.rollbackOf != "" {
			info["rollbackInfo"] = map[string]any{"rollbackDeploymentId": d.rollback, "rollbackTriggeringDeploymentId": d.rollbackOf}
		}
		return map[string]any{"deploymentInfo": info}, ""
	case "ListDeploymentTargets":
		if d.noTargets {
			return nil, "400 DeploymentNotStartedException: not started"
		}
		return map[string]any{"targetIds": []string{instance}}, ""
	case "BatchGetDeploymentTargets":
		t := map[string]any{"targetId": instance, "status": d.status}
		if d.status == "Succeeded" {
			t["lifecycleEvents"] = []any{map[string]any{"lifecycleEventName": "ValidateService", "status": "Succeeded"}}
		}
		if d.event != "" && d.untaken {
			t["lifecycleEvents"] = []any{map[string]any{"lifecycleEventName": d.event, "status": "Failed", "diagnostics": d.diag}}
		} else if d.event != "" {
			t["lifecycleEvents"] = []any{
				map[string]any{"lifecycleEventName": "ApplicationStop", "status": "Succeeded", "startTime": 1767225600, "endTime": 1767225610},
				map[string]any{"lifecycleEventName": d.event, "status": "Failed", "diagnostics": d.diag},
			}
		}
		return map[string]any{"deploymentTargets": []any{map[string]any{"deploymentTargetType": "InstanceTarget", "instanceTarget": t}}}, ""
	}
	return nil, "400 UnknownOperationException: " + op
}
