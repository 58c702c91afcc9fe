import platform

import pytest

from lengthwise.errors import InstructionSetError, KernelError
from lengthwise.native import arch
from lengthwise.native.arch import ARCH_VARIABLE, X86_LEVELS, arch_of_run, kernel_arch, kernel_archs

# What the kernel's proc file says of an old laptop, a desktop, a server and two processors of other kinds.
V1 = "fpu vme de pse tsc msr pae mce cx8 apic sep mtrr pge mca cmov pat clflush mmx fxsr sse sse2 syscall nx lm"
V2 = f"{V1} pni ssse3 cx16 sse4_1 sse4_2 popcnt aes lahf_lm"
V3 = f"{V2} xsave avx f16c fma avx2 bmi1 bmi2 movbe abm"
V4 = f"{V3} avx512f avx512dq avx512cd avx512bw avx512vl"
ARM = "processor\t: 0\nBogoMIPS\t: 50.00\nFeatures\t: fp asimd evtstrm aes crc32 atomics sve\nCPU part\t: 0xd0c\n"
NAMES = tuple(X86_LEVELS)


@pytest.fixture
def on(monkeypatch):
    # A machine by its flags, or by all that it says of itself.
    def machine(flags="", text=None, name="x86_64"):
        said = (
            f"processor\t: 0\nvmx flags\t: avx512f\nflags\t\t: {flags}\nbugs\t\t: avx2\n" * 2 if text is None else text
        )
        monkeypatch.setattr(arch, "_lines_of_processor", said.splitlines)
        monkeypatch.setattr(platform, "machine", lambda: name)

    monkeypatch.delenv(ARCH_VARIABLE, raising=False)
    return machine


@pytest.mark.parametrize(("flags", "levels"), [(V1, 0), (V2, 1), (V3, 2), (V4, 3), (V4.upper(), 0)])
def test_kernel_archs_are_the_levels_whose_every_instruction_the_machine_has(on, flags, levels):
    on(flags)
    assert kernel_archs() == (*NAMES[:levels], "native")


@pytest.mark.parametrize(
    ("name", "flag"), [(name, flag) for name, flags in X86_LEVELS.items() for flag in sorted(flags)]
)
def test_kernel_archs_of_a_machine_that_lacks_one_instruction_end_before_it(on, name, flag):
    on(" ".join(set(V4.split()) - {flag}))
    assert kernel_archs() == (*NAMES[: NAMES.index(name)], "native")


@pytest.mark.parametrize(("text", "name"), [(ARM, "aarch64"), ("", "arm64"), ("cpu\t\t: POWER9\n", "ppc64le")])
def test_kernel_arch_of_another_kind_of_processor_is_native_alone(on, monkeypatch, text, name):
    on(text=text, name=name)
    assert kernel_archs() == ("native",)
    assert kernel_arch() == "native"
    assert arch_of_run("native") == f"native ({name})"
    monkeypatch.setenv(ARCH_VARIABLE, "x86-64-v2")
    with pytest.raises(InstructionSetError) as caught:
        kernel_arch()
    assert f"got 'x86-64-v2', which this machine ({name}) lacks; expected native; change or unset it" in str(
        caught.value
    )


@pytest.mark.parametrize("asked", [*NAMES, "native"])
def test_kernel_arch_is_the_one_asked_for_and_native_without_asking(on, monkeypatch, asked):
    on(V4)
    assert kernel_arch() == "native"
    monkeypatch.setenv(ARCH_VARIABLE, "")
    assert kernel_arch() == "native"
    monkeypatch.setenv(ARCH_VARIABLE, asked)
    assert kernel_arch() == asked
    assert arch_of_run("native") == ("native (x86-64-v4)" if asked == "native" else asked)
    assert arch_of_run("keras") == "none"


@pytest.mark.parametrize(
    "asked", ["v2", "x86-64", "x86-64-v5", "X86-64-V2", "Native", "native ", "haswell", "-O0", "a\nb", "$(touch x)"]
)
def test_kernel_arch_refuses_what_is_no_instruction_set_in_one_line(on, monkeypatch, asked):
    on(V3)
    monkeypatch.setenv(ARCH_VARIABLE, asked)
    with pytest.raises(KernelError) as caught:
        kernel_arch()
    assert "\n" not in str(caught.value)
    assert str(caught.value) == (
        f"LENGTHWISE_KERNEL_ARCH: got {asked!r}; expected x86-64-v2 or x86-64-v3 or native; change or unset it"
    )


def test_kernel_arch_refuses_what_the_machine_lacks_and_says_what_it_has(on, monkeypatch):
    on(V2)
    monkeypatch.setenv(ARCH_VARIABLE, "x86-64-v4")
    with pytest.raises(
        InstructionSetError, match=r"got 'x86-64-v4', which this machine \(x86_64\) lacks; expected x86-"
    ):
        kernel_arch()


def test_processor_is_told_whatever_its_file_has_in_it(monkeypatch, tmp_path):
    monkeypatch.setattr(arch, "Path", lambda _: tmp_path / "cpuinfo")
    assert arch.processor() == platform.machine() + platform.processor()
    (tmp_path / "cpuinfo").write_bytes(b"model name\t: \xff\nflags\t\t: avx\ncpu MHz\t\t: 3\n")
    assert arch.processor() == platform.machine() + "flags\t\t: avxmodel name\t: �"
