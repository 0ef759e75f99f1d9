"""Annotations of recordings, written and read back."""

RATE = 1000


def write_annotations(folder, *lines, name="annotations.csv", header="file,start,end,label"):
    path = folder / name
    path.write_text("\n".join([header, *lines]), encoding="utf-8")
    return path


def spans(found):
    return {
        recording.path.stem: [(event.onset, event.offset, event.label) for event in recording.annotations]
        for recording in found.recordings
    }
