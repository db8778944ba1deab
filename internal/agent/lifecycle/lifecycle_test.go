package lifecycle

import "testing"

func TestRevisionFor(t *testing.T) {
	tests := []struct {
		event, creator, kind string
		unpacked             bool
		want                 Revision
	}{
		{ApplicationStop, "user", "IN_PLACE", false, LastSuccessful},
		{ApplicationStop, "user", "IN_PLACE", true, Current},
		{BeforeBlockTraffic, "user", "IN_PLACE", false, LastSuccessful},
		{BeforeInstall, "user", "IN_PLACE", true, Current},
		{ApplicationStart, "codeDeployRollback", "IN_PLACE", true, Current},
		{ApplicationStop, "codeDeployRollback", "IN_PLACE", false, LastSuccessful},
		{ApplicationStop, "codeDeployRollback", "BLUE_GREEN", false, LastSuccessful},
		{AfterBlockTraffic, "codeDeployRollback", "BLUE_GREEN", false, MostRecent},
		{AfterBlockTraffic, "codeDeployRollback", "BLUE_GREEN", true, Current},
		{AfterAllowTraffic, "codeDeployRollback", "BLUE_GREEN", false, LastSuccessful},
		{AfterAllowTraffic, "codeDeployRollback", "BLUE_GREEN", true, Current},
		{BeforeAllowTraffic, "user", "BLUE_GREEN", false, Current},
		{AfterBlockTraffic, "user", "BLUE_GREEN", false, LastSuccessful},
		{BeforeInstall, "codeDeployRollback", "BLUE_GREEN", false, Current},
		{Install, "codeDeployRollback", "BLUE_GREEN", true, Current},
	}
	for _, tc := range tests {
		if got := RevisionFor(tc.event, tc.creator, tc.kind, tc.unpacked); got != tc.want {
			t.Errorf("RevisionFor(%s, %s, %s, %t) = %d, want %d", tc.event, tc.creator, tc.kind, tc.unpacked, got, tc.want)
		}
	}
}

func TestNoop(t *testing.T) {
	tests := []struct {
		event    string
		revision bool
		scripts  int
		want     bool
	}{
		{DownloadBundle, false, 0, false}, {Install, true, 0, false},
		{ApplicationStop, false, 0, true}, {ApplicationStart, true, 0, true}, {ApplicationStart, true, 1, false},
	}
	for _, tc := range tests {
		if got := Noop(tc.event, tc.revision, tc.scripts); got != tc.want {
			t.Errorf("Noop(%s, %t, %d) = %t", tc.event, tc.revision, tc.scripts, got)
		}
	}
}

func TestWhoExecutes(t *testing.T) {
	for event, want := range map[string][3]bool{ // by agent, scriptable, failure may be ignored
		DownloadBundle: {true, false, false}, Install: {true, false, false}, ApplicationStop: {true, true, true},
		BlockTraffic: {false, false, false}, AllowTraffic: {false, false, false}, ValidateService: {true, true, false},
		"UpdateDeploymentAgent": {false, false, false},
	} {
		if got := [3]bool{ByAgent(event), Scriptable(event), FailureIgnorable(event)}; got != want {
			t.Errorf("%s: %v, want %v", event, got, want)
		}
	}
}
