package compare

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path"
	"path/filepath"
)

// FiguresFile is the name of the file with the figures of all runs, from which everything but the
// curves over time can be made again.
const FiguresFile = "figures.json"

// Recordings is the name of the folder with the recordings.
const Recordings = "recordings"

// Files returns the contents of all files of the report by their names, which may have a folder.
func (rep *Report) Files() (map[string][]byte, error) {
	pictures := rep.Pictures()
	files := map[string][]byte{"report.md": []byte(rep.Markdown(pictures))}
	var page bytes.Buffer
	if err := rep.HTML(&page, pictures); err != nil {
		return nil, err
	}
	files["report.html"] = page.Bytes()
	figures, err := json.MarshalIndent(rep, "", "\t")
	if err != nil {
		return nil, err
	}
	files[FiguresFile] = append(figures, '\n')
	for _, p := range pictures {
		files[p.File] = p.SVG
	}
	for _, r := range rep.Runs {
		if r.Recording == nil {
			continue
		}
		if files[path.Join(Recordings, filepath.Base(r.Recording.File))], err = os.ReadFile(r.Recording.File); err != nil {
			return nil, err
		}
	}
	return files, nil
}

// ReadFigures reads the file with the figures of all runs.
func ReadFigures(file string) (*Report, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	rep := &Report{}
	if err := json.Unmarshal(text, rep); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return rep, nil
}
