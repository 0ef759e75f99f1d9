"""Addresses as texts."""

from hf_audio.remote.addresses import is_remote, public_name


def test_what_an_address_is_and_what_of_it_is_shown():
    assert is_remote("s3://b/a.wav") and is_remote("HTTPS://x/y") and not is_remote("file:///a.wav")
    assert not any(map(is_remote, ("a.wav", "/a/b.wav", "c:\\a.wav", b"s3://b", None)))
    signed = "https://me:word@host/a.wav?X-Amz-Signature=abc&X-Amz-Credential=K&part=2&sig=1&access_token=t"
    assert public_name(signed) == "https://host/a.wav?part=2" and public_name("a?token=1") == "a?token=1"
