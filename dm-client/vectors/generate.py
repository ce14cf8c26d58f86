#!/usr/bin/env python3
"""Makes the test vectors of this folder with libsodium, so that no implementation is checked against itself.

    pip install pynacl cryptography
    python3 generate.py           writes keys.json, suite0.json and suite1.json
    python3 generate.py --check   fails if a file differs from the vectors that this program makes

All vectors are derived from fixed strings, so two runs write the same bytes. HKDF is from `cryptography`, the other
algorithms are from libsodium. README.md describes the formats.
"""

import hashlib
import json
import pathlib
import struct
import sys

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from nacl import bindings as sodium
from nacl.exceptions import CryptoError, RuntimeError as SodiumError
from nacl.hashlib import blake2b

HERE = pathlib.Path(__file__).parent
MAX_PAYLOAD = 65536
PRIME = 2**255 - 19
LONG = 256  # of longer texts and payloads, the files have the length and the digest


def fixed(label, length):
    """Bytes that look random and are the same in every run."""
    return hashlib.shake_256(b"dm vectors " + label.encode()).digest(length)


class Party:
    def __init__(self, name, seed):
        self.name = name
        self.seed = seed
        self.public, secret = sodium.crypto_sign_seed_keypair(seed)
        self.x_secret = sodium.crypto_sign_ed25519_sk_to_curve25519(secret)
        self.x_public = sodium.crypto_sign_ed25519_pk_to_curve25519(self.public)
        assert self.x_public == sodium.crypto_scalarmult_base(self.x_secret)
        self.signature = sodium.crypto_sign(b"dm vectors", secret)[:64]

    def shared(self, other):
        return sodium.crypto_scalarmult(self.x_secret, other.x_public)


ANA = Party("ana", fixed("ana", 32))
BEN = Party("ben", fixed("ben", 32))
EVE = Party("eve", fixed("eve", 32))
RFC8032_1 = Party("RFC 8032 section 7.1 test 1", bytes.fromhex(
    "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60"))
ZERO = Party("seed of zeros", bytes(32))
ONES = Party("seed of ones", b"\xff" * 32)


def seal(key, nonce, associated, plaintext):
    return sodium.crypto_aead_xchacha20poly1305_ietf_encrypt(plaintext, associated or None, nonce, key)


def opens(key, nonce, associated, ciphertext):
    if len(ciphertext) < 16:  # without this check, the binding would compute a negative length
        return False
    try:
        sodium.crypto_aead_xchacha20poly1305_ietf_decrypt(ciphertext, associated or None, nonce, key)
        return True
    except (CryptoError, SodiumError):
        return False


def written(name, value):
    """A byte string as fields of a vector."""
    if len(value) <= LONG:
        return {name: value.hex()}
    return {f"{name}_length": len(value), f"{name}_sha256": hashlib.sha256(value).hexdigest()}


def text_of(length):
    return bytes(i % 251 for i in range(length))


# keys.json

def keys():
    def little(number):
        return number.to_bytes(32, "little")

    ed_refused = [
        ("no point: y = 2", little(2), "encoding"),
        ("no point: y = 7", little(7), "encoding"),
        ("not canonical: y = p + 3", little(PRIME + 3), "encoding"),
        ("not canonical: y = p + 1, the neutral element", little(PRIME + 1), "encoding"),
        ("not canonical: the neutral element with the sign of minus zero", little(1 | 1 << 255), "encoding"),
        ("small order 1: the neutral element", little(1), "small order"),
        ("small order 2", little(PRIME - 1), "small order"),
        ("small order 4: y = 0", little(0), "small order"),
        ("small order 8", bytes.fromhex(
            "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"), "small order"),
        ("small order 8, the other", bytes.fromhex(
            "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"), "small order"),
    ]
    for name, key, _ in ed_refused:
        assert refuses(lambda: sodium.crypto_sign_ed25519_pk_to_curve25519(key)), name

    x_refused = [
        ("order 4: zero", little(0)),
        ("order 1", little(1)),
        ("order 2 on the curve or twist: p - 1", little(PRIME - 1)),
        ("order 8", bytes.fromhex("e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800")),
        ("order 8, the other", bytes.fromhex("5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157")),
        ("zero, not reduced: p", little(PRIME)),
        ("order 1, not reduced: p + 1", little(PRIME + 1)),
        ("zero with the ignored bit set", little(1 << 255)),
    ]
    for name, key in x_refused:
        assert refuses(lambda: sodium.crypto_scalarmult(ANA.x_secret, key)), name

    return {
        "identities": [
            {
                "name": party.name,
                "seed": party.seed.hex(),
                "ed25519_public": party.public.hex(),
                "x25519_secret": party.x_secret.hex(),
                "x25519_public": party.x_public.hex(),
                "signature": party.signature.hex(),
            }
            for party in (ANA, BEN, EVE, RFC8032_1, ZERO, ONES)
        ],
        "refused_ed25519": [{"name": n, "key": k.hex(), "reason": r} for n, k, r in ed_refused],
        "refused_x25519": [{"name": n, "key": k.hex()} for n, k in x_refused],
    }


def refuses(call):
    try:
        call()
        return False
    except (CryptoError, SodiumError):
        return True


# suite0.json

def suite0():
    def vector(name, sender, recipient, plaintext):
        shared = sender.shared(recipient)
        assert shared == recipient.shared(sender)
        key = blake2b(shared, digest_size=32).digest()
        nonce = fixed("suite 0 nonce " + name, 24)
        return {
            "name": name,
            "sender_seed": sender.seed.hex(),
            "recipient_seed": recipient.seed.hex(),
            "shared_secret": shared.hex(),
            "key": key.hex(),
            "nonce": nonce.hex(),
            **written("plaintext", plaintext),
            **written("payload", seal(key, nonce, b"", plaintext)),
        }

    return {
        "vectors": [
            vector("empty", ANA, BEN, b""),
            vector("one byte", BEN, ANA, b"a"),
            vector("text", ANA, BEN, "Grüße, 你好, 👋".encode()),
            vector("two blocks and a bit", EVE, BEN, text_of(129)),
            vector("zero and ones", ZERO, ONES, b"at noon?"),
            vector("the longest", ANA, BEN, text_of(MAX_PAYLOAD - 16)),
        ]
    }


# suite1.json

class Message:
    def __init__(self, name, sender, recipient, versions, plaintext):
        self.name, self.sender, self.recipient = name, sender, recipient
        self.sender_version, self.recipient_version = versions
        self.plaintext = plaintext
        self.conversation = fixed("conversation " + name, 16)
        self.message_id = fixed("message " + name, 16)
        self.nonce = fixed("suite 1 nonce " + name, 24)
        self.header = b"\x01" + struct.pack(">II", *versions) + self.message_id
        self.info = info(self.conversation, sender.public, recipient.public, self.header)
        self.shared = sender.shared(recipient)
        self.key = derive(self.shared, self.info)
        self.associated = associated(self.header, self.conversation, sender.public, recipient.public)
        self.ciphertext = seal(self.key, self.nonce, self.associated, plaintext)

    def written(self):
        return {
            "name": self.name,
            "sender_seed": self.sender.seed.hex(),
            "recipient_seed": self.recipient.seed.hex(),
            "conversation": self.conversation.hex(),
            "sender_key_version": self.sender_version,
            "recipient_key_version": self.recipient_version,
            "client_message_id": self.message_id.hex(),
            "shared_secret": self.shared.hex(),
            "info": self.info.hex(),
            "key": self.key.hex(),
            "associated_data": self.associated.hex(),
            "nonce": self.nonce.hex(),
            **written("plaintext", self.plaintext),
            **written("payload", self.header + self.ciphertext),
        }

    def refused(self, name, *, payload=None, conversation=None, sender=None, recipient=None, nonce=None):
        """A copy of the message with one change. The recipient must not be able to decrypt it."""
        payload = payload if payload is not None else self.header + self.ciphertext
        conversation, nonce = conversation or self.conversation, nonce or self.nonce
        sender, recipient = sender or self.sender, recipient or self.recipient
        header, ciphertext = payload[:25], payload[25:]
        well_formed = len(header) == 25 and header[0] == 1
        if well_formed:
            key = derive(sender.shared(recipient), info(conversation, sender.public, recipient.public, header))
            ad = associated(header, conversation, sender.public, recipient.public)
            assert not opens(key, nonce, ad, ciphertext), name
        return {
            "name": name,
            "sender_seed": sender.seed.hex(),
            "recipient_seed": recipient.seed.hex(),
            "conversation": conversation.hex(),
            "nonce": nonce.hex(),
            "payload": payload.hex(),
        }


def info(conversation, sender, recipient, header):
    return b"dm suite 1 key\0" + conversation + sender + recipient + header[1:9]


def associated(header, conversation, sender, recipient):
    return b"dm suite 1 ad\0" + header + conversation + sender + recipient


def derive(shared, info_string):
    return HKDF(algorithm=hashes.SHA256(), length=32, salt=b"dm suite 1", info=info_string).derive(shared)


def suite1():
    messages = [
        Message("empty", ANA, BEN, (1, 1), b""),
        Message("one byte", BEN, ANA, (1, 1), b"a"),
        Message("text", ANA, BEN, (3, 258), "Grüße, 你好, 👋".encode()),
        Message("highest versions", EVE, BEN, (2**32 - 1, 2**32 - 2), text_of(129)),
        Message("zero and ones", ZERO, ONES, (0, 7), b"at noon?"),
        Message("the longest", ANA, BEN, (1, 2), text_of(MAX_PAYLOAD - 25 - 16)),
    ]
    good = messages[2]
    whole = good.header + good.ciphertext

    def flipped(at):
        return whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1:]

    return {
        "vectors": [message.written() for message in messages],
        "refused": [
            good.refused("another conversation", conversation=fixed("elsewhere", 16)),
            good.refused("sender and recipient swapped", sender=BEN, recipient=ANA),
            good.refused("another sender", sender=EVE),
            good.refused("another recipient", recipient=EVE),
            good.refused("another nonce", nonce=fixed("another nonce", 24)),
            good.refused("suite byte 0", payload=b"\0" + whole[1:]),
            good.refused("another sender's key version", payload=flipped(4)),
            good.refused("another recipient's key version", payload=flipped(8)),
            good.refused("key versions swapped", payload=whole[:1] + whole[5:9] + whole[1:5] + whole[9:]),
            good.refused("another message id", payload=flipped(24)),
            good.refused("first bit of the ciphertext", payload=flipped(25)),
            good.refused("last bit of the tag", payload=flipped(len(whole) - 1)),
            good.refused("cut by one byte", payload=whole[:-1]),
            good.refused("header only", payload=whole[:25]),
            good.refused("less than a header", payload=whole[:24]),
            good.refused("nothing", payload=b""),
        ],
    }


def main():
    check = sys.argv[1:] == ["--check"]
    stale = False
    for name, content in (("keys", keys()), ("suite0", suite0()), ("suite1", suite1())):
        path = HERE / f"{name}.json"
        text = json.dumps(content, indent=2) + "\n"
        if not check:
            path.write_text(text, encoding="utf-8")
        elif not path.exists() or path.read_text(encoding="utf-8") != text:
            print(f"{path.name} is not what this script writes")
            stale = True
    sys.exit(stale)


if __name__ == "__main__":
    main()
