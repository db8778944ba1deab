package template

import (
	"maps"
	"slices"
)

// stackOutput is the function that reads an output of another stack, exported or not.
const stackOutput = "Fn::GetStackOutput"

// StackOutput names an output of another stack. Region and RoleARN are empty where
// the template gives none.
type StackOutput struct{ StackName, OutputName, Region, RoleARN string }

// checkStackOutput judges the argument before its values are known.
func checkStackOutput(arg any) error {
	m, ok := arg.(map[string]any)
	if !ok || m["StackName"] == nil || m["OutputName"] == nil {
		return errorf("Template error: every %s object must have an object with StackName and OutputName.", stackOutput)
	}
	for _, name := range slices.Sorted(maps.Keys(m)) {
		if !slices.Contains([]string{"StackName", "OutputName", "Region", "RoleArn"}, name) {
			return errorf("Template error: %s does not take %s.", stackOutput, name)
		}
	}
	return nil
}

func (s *Scope) stackOutput(v any) (any, error) {
	if unknown(v) || s.World == nil {
		return unknownOf(stackOutput, v), nil
	}
	m, _ := v.(map[string]any)
	var ref StackOutput
	for name, into := range map[string]*string{"StackName": &ref.StackName, "OutputName": &ref.OutputName, "Region": &ref.Region, "RoleArn": &ref.RoleARN} {
		given, has := m[name]
		if *into, _ = text(given); *into == "" && (has || name == "StackName" || name == "OutputName") {
			return nil, errorf("Template error: %s of %s must be a string.", name, stackOutput)
		}
	}
	return s.World.StackOutput(ref)
}
