package install

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/hardstand/hardstand/internal/agent/appspec"
)

// BenchmarkInstall puts a thousand small files of a tree in place, over those of
// the deployment before.
func BenchmarkInstall(b *testing.B) {
	dir := b.TempDir()
	for i := range 1000 {
		name := filepath.Join(dir, "archive", "app", fmt.Sprintf("d%d/e%d/f%d", i%10, i%7, i))
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			b.Fatal(err)
		}
		if err := os.WriteFile(name, []byte("content of a file"), 0o644); err != nil {
			b.Fatal(err)
		}
	}
	in := Install{Archive: filepath.Join(dir, "archive"), CleanupFile: filepath.Join(dir, "cleanup"), PlanFile: filepath.Join(dir, "plan.json"), Behavior: "DISALLOW"}
	spec := &appspec.Spec{Files: []appspec.File{{Source: "app", Destination: filepath.Join(dir, "dest/of/it")}}}
	for b.Loop() {
		if err := in.Run(spec); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/1000, "µs/file")
}
