package template

import (
	"encoding/base64"
	"encoding/json"
	"math/big"
	"net/netip"
	"strconv"
	"strings"
)

// pure are the functions of their argument alone.
var pure = map[string]func(any) (any, error){
	"Fn::Join": join, "Fn::Split": split, "Fn::Base64": base64Text, "Fn::Cidr": cidr,
	"Fn::Length": length, "Fn::ToJsonString": toJSONString,
}

func join(v any) (any, error) {
	args, ok := v.([]any)
	if !ok || len(args) != 2 {
		return nil, checkJoin(nil)
	}
	delimiter, _ := text(args[0])
	list, ok := args[1].([]any)
	if !ok {
		return nil, checkJoin(nil)
	}
	items, size := make([]string, len(list)), 0
	for i, e := range list {
		if items[i], ok = text(e); !ok {
			return nil, checkJoin(nil)
		}
		if size += len(items[i]) + len(delimiter); size > maxText+len(delimiter) {
			return nil, tooLong("Fn::Join")
		}
	}
	return strings.Join(items, delimiter), nil
}

func split(v any) (any, error) {
	args, ok := v.([]any)
	if !ok || len(args) != 2 {
		return nil, checkSplit(nil)
	}
	delimiter, _ := text(args[0])
	s, ok := text(args[1])
	if !ok || delimiter == "" {
		return nil, checkSplit(nil)
	}
	out := []any{}
	for _, p := range strings.Split(s, delimiter) {
		out = append(out, p)
	}
	return out, nil
}

func length(v any) (any, error) {
	list, ok := v.([]any)
	if !ok {
		return nil, checkList("Fn::Length")(nil)
	}
	return json.Number(strconv.Itoa(len(list))), nil
}

func toJSONString(v any) (any, error) {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, checkStructure("Fn::ToJsonString")(nil)
	}
	return strings.TrimSuffix(b.String(), "\n"), nil
}

func base64Text(v any) (any, error) {
	s, ok := text(v)
	if !ok {
		return nil, checkOne("Fn::Base64")(nil)
	}
	return base64.StdEncoding.EncodeToString([]byte(s)), nil
}

func selectItem(v any) (any, error) {
	args, ok := v.([]any)
	if !ok || len(args) != 2 {
		return nil, checkSelect(nil)
	}
	if _, open := args[1].(Unknown); open || unknown(args[0]) {
		return unknownOf("Fn::Select", v), nil
	}
	s, _ := text(args[0])
	i, err := strconv.Atoi(s)
	list, ok := args[1].([]any)
	if err != nil || !ok {
		return nil, checkSelect(nil)
	}
	if i < 0 || i >= len(list) {
		return nil, errorf("Template error: Fn::Select cannot select nonexistent value at index %d", i)
	}
	return list[i], nil
}

func (s *Scope) findInMap(v any) (any, error) {
	args, ok := v.([]any)
	if !ok || len(args) != 3 && len(args) != 4 {
		return nil, checkFindInMap(nil)
	}
	if len(args) == 4 {
		out, err := s.findInMap(args[:3])
		if _, missing := Message(err); missing {
			return args[3].(map[string]any)["DefaultValue"], nil
		}
		return out, err
	}
	if unknown(v) {
		return unknownOf("Fn::FindInMap", v), nil
	}
	var key [3]string
	for i := range key {
		if key[i], ok = text(args[i]); !ok {
			return nil, checkFindInMap(nil)
		}
	}
	m, ok := s.Template.Mappings[key[0]]
	if !ok {
		return nil, errorf("Template error: Mapping named '%s' is not present in the 'Mappings' section of template.", key[0])
	}
	value, ok := m[key[1]][key[2]]
	if !ok {
		return nil, errorf("Template error: Unable to get mapping for %s::%s::%s", key[0], key[1], key[2])
	}
	return value, nil
}

func (s *Scope) zones(v any) (any, error) {
	if unknown(v) || s.World == nil {
		return unknownOf("Fn::GetAZs", v), nil
	}
	region, _ := text(v)
	if region == "" {
		region, _ = s.Pseudo["AWS::Region"].(string)
	}
	zones, err := s.World.Zones(region)
	if err != nil {
		return nil, err
	}
	out := make([]any, len(zones))
	for i, z := range zones {
		out[i] = z
	}
	return out, nil
}

func (s *Scope) importValue(v any) (any, error) {
	if unknown(v) || s.World == nil {
		return unknownOf("Fn::ImportValue", v), nil
	}
	name, ok := text(v)
	if !ok {
		return nil, checkOne("Fn::ImportValue")(nil)
	}
	value, ok, err := s.World.Export(name)
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, errorf("No export named %s found.", name)
	}
	return value, nil
}

// cidr cuts a block into count blocks of 2^bits addresses each.
func cidr(v any) (any, error) {
	args, ok := v.([]any)
	if !ok || len(args) < 2 {
		return nil, checkCidr(nil)
	}
	block, _ := text(args[0])
	prefix, err := netip.ParsePrefix(block)
	if err != nil {
		return nil, errorf("Template error: Fn::Cidr: %s is not a CIDR block", block)
	}
	countText, _ := text(args[1])
	count, err := strconv.Atoi(countText)
	if err != nil || count < 1 || count > 256 {
		return nil, errorf("Template error: Fn::Cidr: the number of CIDRs must be between 1 and 256")
	}
	size, bits := prefix.Addr().BitLen(), 8
	if size == 128 {
		bits = 64
	}
	if len(args) == 3 {
		bitsText, _ := text(args[2])
		if bits, err = strconv.Atoi(bitsText); err != nil {
			bits = -1
		}
	}
	free := size - bits - prefix.Bits()
	if bits < 0 || free < 0 || free < 9 && count > 1<<free {
		return nil, errorf("Template error: Fn::Cidr: %s cannot hold %d blocks of %d bits", block, count, bits)
	}
	return blocks(prefix.Masked(), count, bits), nil
}

func blocks(p netip.Prefix, count, bits int) []any {
	length := p.Addr().BitLen() - bits
	at := new(big.Int).SetBytes(p.Addr().AsSlice())
	step := new(big.Int).Lsh(big.NewInt(1), uint(bits))
	out := make([]any, 0, count)
	for range count {
		raw := at.FillBytes(make([]byte, p.Addr().BitLen()/8))
		addr, _ := netip.AddrFromSlice(raw)
		out = append(out, netip.PrefixFrom(addr, length).String())
		at = new(big.Int).Add(at, step)
	}
	return out
}
