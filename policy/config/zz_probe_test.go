package config
import ("testing";"bytes";"io";"fmt"
 y3 "go.yaml.in/yaml/v2")
func shape(n *node) string { switch n.kind { case null: return "s"; case list: s:="["; for _,i:=range n.items {s+=shape(i)+","}; return s+"]"; case mapping: s:="{"; for _,f:=range n.fields { s+=shape(f.value)+","}; return s+"}"}; return "s" }
func shape2(v any) string { switch v:=v.(type) { case nil: return "s"; case []any: s:="["; for _,i:=range v {s+=shape2(i)+","}; return s+"]"; case y3.MapSlice: s:="{"; for _,f:=range v { s+=shape2(f.Value)+","}; return s+"}"}; return "s" }
func FuzzDiff(f *testing.F){
 for _,s:=range []string{"a: b\nc:\n- d\n- e: f\n","a: {b: c, d: [e, f]}\n","a: |\n  x\n  y\nb: >-\n  q\nc: 'x'\nd: \"y\"\n","---\na: 1\n---\nb: 2\n","a:\n  b:\n  - c: d\n    e: f\n  - g\n# c\nh: i\n","apiVersion: v1 # c\nkind: Policy\nspec:\n  rules:\n  - name: r\n    match:\n      any: [\"x\",\n        {y: z}]\n    action: block\n"} { f.Add([]byte(s)) }
 f.Fuzz(func(t *testing.T, data []byte){
  src,b:=load(File{"f",data}); if len(src.problems)>0 {return}
  docs:=src.parse(b); if len(src.problems)>0||len(docs)==0 {return}
  dec:=y3.NewDecoder(bytes.NewReader(b)); var want []string
  for { var m y3.MapSlice
   if err:=dec.Decode(&m); err==io.EOF {break} else if err!=nil {return}
   if len(m)>0 { want=append(want, shape2(m)) } }
  var got []string; for _,d:=range docs { if d.kind!=mapping {return}; if len(d.fields)==0 {continue}; got=append(got,shape(d)) }
  if fmt.Sprint(got)!=fmt.Sprint(want) { t.Errorf("%q\n%v\n%v",data,got,want) }
 })
}
