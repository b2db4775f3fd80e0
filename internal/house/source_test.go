package house

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// root is the repository's top folder, seen from this package.
const root = "../.."

func goFiles(t *testing.T, dir string, fn func(path string, f *ast.File, fset *token.FileSet)) {
	t.Helper()
	err := filepath.WalkDir(filepath.Join(root, dir), func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		fset := token.NewFileSet()
		f, err := parser.ParseFile(fset, path, nil, parser.ParseComments)
		if err != nil {
			return err
		}
		fn(path, f, fset)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// A core package that reads the clock would make two replays differ (P9).
func TestCoreReadsNoClock(t *testing.T) {
	for _, dir := range core {
		if _, err := os.Stat(filepath.Join(root, dir)); err != nil {
			continue
		}
		goFiles(t, dir, func(path string, f *ast.File, fset *token.FileSet) {
			if filepath.Dir(path) != filepath.Join(root, dir) {
				return
			}
			ast.Inspect(f, func(n ast.Node) bool {
				switch n := n.(type) {
				case *ast.GoStmt:
					t.Errorf("%s: the core starts no goroutine", fset.Position(n.Pos()))
				case *ast.SelectorExpr:
					if x, ok := n.X.(*ast.Ident); ok && x.Name == "time" {
						switch n.Sel.Name {
						case "Now", "Since", "Until", "Sleep", "After", "NewTimer", "NewTicker", "Tick":
							t.Errorf("%s: time.%s in the core: take the time from the Tx", fset.Position(n.Pos()), n.Sel.Name)
						}
					}
				}
				return true
			})
		})
	}
}

// Every package says in its doc comment what lives there.
func TestEveryPackageSaysWhatItIs(t *testing.T) {
	documented := map[string]bool{}
	seen := map[string]bool{}
	for _, top := range []string{"schemas", "state", "pipeline", "connectors", "cmd", "internal"} {
		goFiles(t, top, func(path string, f *ast.File, _ *token.FileSet) {
			dir := filepath.Dir(path)
			seen[dir] = true
			if f.Doc != nil && len(f.Doc.Text()) > 40 {
				documented[dir] = true
			}
		})
	}
	for dir := range seen {
		if !documented[dir] {
			t.Errorf("%s has no package comment that says what lives there", strings.TrimPrefix(dir, root+"/"))
		}
	}
}

// Every exported name says what it is.
func TestExportedNamesAreDocumented(t *testing.T) {
	for _, top := range []string{"schemas", "state", "pipeline", "connectors"} {
		goFiles(t, top, func(_ string, f *ast.File, fset *token.FileSet) {
			for _, d := range f.Decls {
				switch d := d.(type) {
				case *ast.FuncDecl:
					if d.Name.IsExported() && d.Doc == nil && exportedReceiver(d) {
						t.Errorf("%s: %s has no doc comment", fset.Position(d.Pos()), d.Name.Name)
					}
				case *ast.GenDecl:
					for _, s := range d.Specs {
						if ts, ok := s.(*ast.TypeSpec); ok && ts.Name.IsExported() && d.Doc == nil && ts.Doc == nil {
							t.Errorf("%s: %s has no doc comment", fset.Position(ts.Pos()), ts.Name.Name)
						}
					}
				}
			}
		})
	}
}

func exportedReceiver(d *ast.FuncDecl) bool {
	if d.Recv == nil {
		return true
	}
	typ := d.Recv.List[0].Type
	if p, ok := typ.(*ast.StarExpr); ok {
		typ = p.X
	}
	if ix, ok := typ.(*ast.IndexExpr); ok {
		typ = ix.X
	}
	id, ok := typ.(*ast.Ident)
	return ok && id.IsExported()
}
