package ec2

import "slices"

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

func general(scale int64) map[string][2]int64 {
	return map[string][2]int64{
		"large": {2, 2048 * scale}, "xlarge": {4, 4096 * scale}, "2xlarge": {8, 8192 * scale},
		"4xlarge": {16, 16384 * scale}, "8xlarge": {32, 32768 * scale},
	}
}

func buildTypes() []instanceType {
	t2 := map[string][2]int64{"nano": {1, 512}, "micro": {1, 1024}, "small": {1, 2048}, "medium": {2, 4096}, "large": {2, 8192}, "xlarge": {4, 16384}, "2xlarge": {8, 32768}}
	t3 := map[string][2]int64{"nano": {2, 512}, "micro": {2, 1024}, "small": {2, 2048}, "medium": {2, 4096}, "large": {2, 8192}, "xlarge": {4, 16384}, "2xlarge": {8, 32768}}
	families := []typeFamily{
		{"t1", map[string][2]int64{"micro": {1, 627}}, true, false},
		{"t2", t2, true, true}, {"t3", t3, true, true}, {"t3a", t3, true, true},
		{"m1", map[string][2]int64{"small": {1, 1740}, "medium": {1, 3788}, "large": {2, 7680}, "xlarge": {4, 15360}}, false, false},
		{"m3", map[string][2]int64{"medium": {1, 3840}, "large": {2, 7680}, "xlarge": {4, 15360}, "2xlarge": {8, 30720}}, false, false},
		{"m4", general(4), false, true}, {"m5", general(4), false, true}, {"m5a", general(4), false, true},
		{"m6i", general(4), false, true}, {"m6a", general(4), false, true}, {"m7i", general(4), false, true},
		{"c3", general(2), false, false}, {"c4", general(2), false, true}, {"c5", general(2), false, true}, {"c5a", general(2), false, true}, {"c6i", general(2), false, true}, {"c7i", general(2), false, true},
		{"r4", general(8), false, true}, {"r5", general(8), false, true}, {"r6i", general(8), false, true},
	}
	var out []instanceType
	for _, f := range families {
		for size, v := range f.perSize {
			out = append(out, instanceType{f.name + "." + size, int32(v[0]), v[1], f.burstable, f.current})
		}
	}
	slices.SortFunc(out, func(a, b instanceType) int {
		switch {
		case a.Name < b.Name:
			return -1
		case a.Name > b.Name:
			return 1
		}
		return 0
	})
	return out
}

func findType(name string) (instanceType, bool) {
	i, ok := slices.BinarySearchFunc(instanceTypes, name, func(t instanceType, n string) int {
		switch {
		case t.Name < n:
			return -1
		case t.Name > n:
			return 1
		}
		return 0
	})
	if !ok {
		return instanceType{}, false
	}
	return instanceTypes[i], true
}
