package consumer
import "testing"
func TestScratchVL(t *testing.T){ p,err:=Build(t.Context(),"../../bin",t.Logf); t.Log(p,err); if err!=nil {t.Fatal(err)} }
func TestScratchCol(t *testing.T){ p,err:=BuildCollector(t.Context(),"../../bin",t.Logf); t.Log(p,err); if err!=nil {t.Fatal(err)} }
