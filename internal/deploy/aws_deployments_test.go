package deploy

import (
	"fmt"
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
		return map[string]any{"deploymentGroupInfo": f.groups[in["deploymentGroupName"].(string)]}, ""
	case "CreateDeployment":
		if f.busy--; f.busy >= 0 {
			return nil, "400 DeploymentLimitExceededException: The Deployment Group 'app-group' already has an active Deployment 'd-OTHER'"
		}
		d := fakeDeployment{status: "Succeeded"}
		if len(f.deployments) < len(f.ends) {
			d = f.ends[len(f.deployments)]
		}
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
	return f.deployments[n-1].answer(op, deploymentID(n))
}

func deploymentID(n int) string { return fmt.Sprintf("d-%09d", n) }

func (d *fakeDeployment) answer(op, id string) (out map[string]any, refusal string) {
	switch op {
	case "GetDeployment":
		status := d.status
		if len(d.states) > 0 {
			status, d.states = d.states[0], d.states[1:]
		}
		info := map[string]any{"deploymentId": id, "status": status}
		if d.code != "" {
			info["errorInformation"] = map[string]any{"code": d.code, "message": d.msg}
		}
		if d.rollback != "" {
			info["rollbackInfo"] = map[string]any{"rollbackDeploymentId": d.rollback}
		}
		return map[string]any{"deploymentInfo": info}, ""
	case "ListDeploymentTargets":
		if d.noTargets {
			return nil, "400 DeploymentNotStartedException: not started"
		}
		return map[string]any{"targetIds": []string{instance}}, ""
	case "BatchGetDeploymentTargets":
		t := map[string]any{"targetId": instance, "status": d.status}
		if d.event != "" {
			t["lifecycleEvents"] = []any{
				map[string]any{"lifecycleEventName": "ApplicationStop", "status": "Succeeded"},
				map[string]any{"lifecycleEventName": d.event, "status": "Failed", "diagnostics": d.diag},
			}
		}
		return map[string]any{"deploymentTargets": []any{map[string]any{"deploymentTargetType": "InstanceTarget", "instanceTarget": t}}}, ""
	}
	return nil, "400 UnknownOperationException: " + op
}
