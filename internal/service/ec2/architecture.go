package ec2

import "runtime"

// architecture is what the machine is, as EC2 calls it. All images and instances are
// its, whatever their names tell: instances run the machine's own programs.
var architecture = architectureOf(runtime.GOARCH)

func architectureOf(goarch string) string {
	if goarch == "arm64" {
		return "arm64"
	}
	return "x86_64"
}
