// Package strictyaml decodes a YAML file into a struct and refuses what it does
// not know: every mistake at once, each with file, line, column, what is wrong and
// what was probably meant.
//
// In: bytes, a name for messages and a pointer to a struct whose fields carry yaml
// tags. Out: the filled struct, and Places, so that later checks of meaning can
// name lines too. It reads no file and no environment.
package strictyaml
