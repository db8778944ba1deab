package ec2

import (
	"slices"
	"strings"
)

// instanceType is what an instance type grants: cgroup limits come from it.
type instanceType struct {
	Name      string
	VCPUs     int32
	MemoryMiB int64
	Burstable bool
	Current   bool
}

// instanceTypes lists the x86-64 types that hardstand knows, with the sizes that
// AWS documents for them. A type that is not here is InvalidParameterValue.
var instanceTypes = buildTypes()

type typeFamily struct {
	name               string
	perSize            map[string][2]int64 // size -> vCPUs, MiB
	burstable, current bool
}

// general gives the sizes of a family whose memory grows with its vCPUs, GiB per
// vCPU being perCPU.
func general(perCPU int64) map[string][2]int64 {
	out := map[string][2]int64{}
	for size, cpus := range map[string]int64{
		"large": 2, "xlarge": 4, "2xlarge": 8, "4xlarge": 16, "8xlarge": 32, "12xlarge": 48, "16xlarge": 64, "24xlarge": 96,
	} {
		out[size] = [2]int64{cpus, cpus * perCPU * 1024}
	}
	return out
}

// compute5 are the sizes of the fifth generation of compute-optimised types.
var compute5 = map[string][2]int64{
	"large": {2, 4096}, "xlarge": {4, 8192}, "2xlarge": {8, 16384}, "4xlarge": {16, 32768}, "9xlarge": {36, 73728},
	"12xlarge": {48, 98304}, "18xlarge": {72, 147456}, "24xlarge": {96, 196608},
}

// burstables are the sizes of t3 and t3a.
var burstables = map[string][2]int64{
	"nano": {2, 512}, "micro": {2, 1024}, "small": {2, 2048}, "medium": {2, 4096}, "large": {2, 8192}, "xlarge": {4, 16384}, "2xlarge": {8, 32768},
}

// families are x86-64 types without accelerators: neither ARM nor GPU types can be
// had on every machine, so none is claimed.
var families = []typeFamily{
	{"t1", map[string][2]int64{"micro": {1, 627}}, true, false},
	{"t2", map[string][2]int64{"nano": {1, 512}, "micro": {1, 1024}, "small": {1, 2048}, "medium": {2, 4096}, "large": {2, 8192}, "xlarge": {4, 16384}, "2xlarge": {8, 32768}}, true, true},
	{"t3", burstables, true, true}, {"t3a", burstables, true, true},
	{"m1", map[string][2]int64{"small": {1, 1740}, "medium": {1, 3788}, "large": {2, 7680}, "xlarge": {4, 15360}}, false, false},
	{"m2", map[string][2]int64{"xlarge": {2, 17510}, "2xlarge": {4, 35020}, "4xlarge": {8, 70041}}, false, false},
	{"m3", map[string][2]int64{"medium": {1, 3840}, "large": {2, 7680}, "xlarge": {4, 15360}, "2xlarge": {8, 30720}}, false, false},
	{"m4", map[string][2]int64{"large": {2, 8192}, "xlarge": {4, 16384}, "2xlarge": {8, 32768}, "4xlarge": {16, 65536}, "10xlarge": {40, 163840}, "16xlarge": {64, 262144}}, false, true},
	{"m5", general(4), false, true}, {"m5a", general(4), false, true}, {"m5d", general(4), false, true}, {"m5n", general(4), false, true},
	{"m6i", general(4), false, true}, {"m6a", general(4), false, true}, {"m7i", general(4), false, true}, {"m7a", general(4), false, true},
	{"c1", map[string][2]int64{"medium": {2, 1740}, "xlarge": {8, 7168}}, false, false},
	{"cc2", map[string][2]int64{"8xlarge": {32, 61952}}, false, false},
	{"c3", map[string][2]int64{"large": {2, 3840}, "xlarge": {4, 7680}, "2xlarge": {8, 15360}, "4xlarge": {16, 30720}, "8xlarge": {32, 61440}}, false, false},
	{"c4", map[string][2]int64{"large": {2, 3840}, "xlarge": {4, 7680}, "2xlarge": {8, 15360}, "4xlarge": {16, 30720}, "8xlarge": {36, 61440}}, false, true},
	{"c5", compute5, false, true}, {"c5d", compute5, false, true}, {"c5a", general(2), false, true},
	{"c6i", general(2), false, true}, {"c6a", general(2), false, true}, {"c7i", general(2), false, true}, {"c7a", general(2), false, true},
	{"cr1", map[string][2]int64{"8xlarge": {32, 249856}}, false, false},
	{"r3", map[string][2]int64{"large": {2, 15616}, "xlarge": {4, 31232}, "2xlarge": {8, 62464}, "4xlarge": {16, 124928}, "8xlarge": {32, 249856}}, false, false},
	{"r4", map[string][2]int64{"large": {2, 15616}, "xlarge": {4, 31232}, "2xlarge": {8, 62464}, "4xlarge": {16, 124928}, "8xlarge": {32, 249856}, "16xlarge": {64, 499712}}, false, true},
	{"r5", general(8), false, true}, {"r5a", general(8), false, true}, {"r5d", general(8), false, true}, {"r6i", general(8), false, true}, {"r7i", general(8), false, true},
	{"i2", map[string][2]int64{"xlarge": {4, 31232}, "2xlarge": {8, 62464}, "4xlarge": {16, 124928}, "8xlarge": {32, 249856}}, false, false},
	{"i3", map[string][2]int64{"large": {2, 15616}, "xlarge": {4, 31232}, "2xlarge": {8, 62464}, "4xlarge": {16, 124928}, "8xlarge": {32, 249856}}, false, true},
	{"d2", map[string][2]int64{"xlarge": {4, 31232}, "2xlarge": {8, 62464}, "4xlarge": {16, 124928}, "8xlarge": {36, 249856}}, false, false},
	{"hi1", map[string][2]int64{"4xlarge": {16, 61952}}, false, false},
	{"hs1", map[string][2]int64{"8xlarge": {16, 119808}}, false, false},
}

func buildTypes() []instanceType {
	var out []instanceType
	for _, f := range families {
		for size, v := range f.perSize {
			out = append(out, instanceType{f.name + "." + size, int32(v[0]), v[1], f.burstable, f.current})
		}
	}
	slices.SortFunc(out, func(a, b instanceType) int { return strings.Compare(a.Name, b.Name) })
	return out
}

func findType(name string) (instanceType, bool) {
	i, ok := slices.BinarySearchFunc(instanceTypes, name, func(t instanceType, n string) int { return strings.Compare(t.Name, n) })
	if !ok {
		return instanceType{}, false
	}
	return instanceTypes[i], true
}
