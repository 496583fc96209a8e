"""An error of CUDA is a finding, whichever program prints it and however; a broken program is not."""

from __future__ import annotations

import pytest

from access.errors import CommandError, CommandTimeout, ParseError, Rejected, ToolFailure, ToolMissing
from judging.causes import cause_of, fix_of
from judging.cuda_programs import errors_are_findings
from probes import bandwidth_sample, device_query, gpu_burn, matrix_mul, nvbandwidth, p2p_bandwidth, simple_p2p
from probes.references import cuda_errors

NO_IMAGE = "no kernel image is available for execution on the device"


def failed(text: str, program: str = "matrixMul") -> CommandError:
    return CommandError(f"{program} failed", command=program, host="guest", exit_code=1, stdout=text)


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ('CUDA error at matrixMul.cu:180 code=209(cudaErrorNoKernelImageForDevice) "cudaGetLastError()"', "cuda-209"),
        ("cudaGetDeviceCount returned 802\n-> system not yet initialized\nResult = FAIL", "cuda-802"),
        ("cudaGetDeviceCount returned 38\n-> no CUDA-capable device is detected", "cuda-38"),
        (f"Cuda failure p2pBandwidthLatencyTest.cu:181: '{NO_IMAGE}'", "cuda-209"),
        ("Cuda failure p2pBandwidthLatencyTest.cu:62: 'out of memory'", "cuda-2"),
        (
            "[CUDA_ERROR_SYSTEM_NOT_READY] system not yet initialized in expression cuInit(0) in main() : x.cpp:1",
            "cuda-802",
        ),
        ("[CUDA_ERROR_NO_DEVICE] no CUDA-capable device is detected in expression cuInit(0)", "cuda-100"),
        (f"x.cu(33) : getLastCudaError() CUDA error : Kernel execution failed : (209) {NO_IMAGE}.", "cuda-209"),
        ("gpuDeviceInit() CUDA error: no devices supporting CUDA.", "cuda-100"),
        ("x.cu(12) : CUDA Runtime API error 4: unspecified launch failure.", "cuda-4"),
        ('CUDA error at simpleP2P.cu:50 code=217(cudaErrorPeerAccessUnsupported) "x"', "cuda-217"),
        ('CUDA error at x.cu:50 code=220(cudaErrorNvlinkUncorrectable) "x"', "cuda-220"),
        ('CUDA error at x.cu:50 code=4242(cudaErrorOfTheFuture) "x"', "cuda-4242"),
        ("Couldn't init CUDA: error (CUDA_ERROR_OUT_OF_MEMORY)", "cuda-2"),
    ],
)
def test_an_error_of_cuda_is_a_finding(text: str, cause: str) -> None:
    """By number, by either name, or by its words; with what to do."""
    with pytest.raises(Rejected) as caught, errors_are_findings("a program"):
        raise failed(text)

    assert caught.value.cause == cause
    assert len(caught.value.remedy) > 20
    assert "a program" in caught.value.what


@pytest.mark.parametrize(
    ("read", "text"),
    [
        (device_query.parse, "cudaGetDeviceCount returned 209\n-> x"),
        (bandwidth_sample.parse, "cudaSetDevice returned 209\n-> x"),
        (matrix_mul.parse, 'CUDA error at a.cu:1 code=209(cudaErrorNoKernelImageForDevice) "x"'),
        (simple_p2p.parse, 'CUDA error at a.cu:1 code=209(cudaErrorNoKernelImageForDevice) "x"'),
        (p2p_bandwidth.parse, f"Cuda failure a.cu:1: '{NO_IMAGE}'"),
        (nvbandwidth.parse, f"[CUDA_ERROR_NO_BINARY_FOR_GPU] {NO_IMAGE} in expression x"),
        (gpu_burn.parse, f'Error in "load module" (gpu_burn-drv.cpp:237): {NO_IMAGE}'),
    ],
)
def test_every_program_has_the_same_translation(read, text: str) -> None:  # type: ignore[no-untyped-def]
    """Also where it ends with exit code 0."""
    with pytest.raises(Rejected) as caught, errors_are_findings("a program"):
        read(text)

    assert caught.value.cause == "cuda-209"
    assert "compute capability" in caught.value.remedy


@pytest.mark.parametrize(
    "error",
    [
        failed("Segmentation fault"),
        failed("/bin/sh: 1: matrixMul: Permission denied"),
        failed("matrixMul: error while loading shared libraries: libcudart.so.13: cannot open shared object file: No"),
        ParseError("matrixMul", "cut off"),
        ToolFailure("gpu_burn", "nothing-computed", "it ended before"),
        ToolMissing("no program", command="x", host="guest"),
    ],
)
def test_a_program_that_does_not_work_says_nothing_of_the_cloud(error: Exception) -> None:
    """It stays an error."""
    with pytest.raises(type(error)) as caught, errors_are_findings("a program"):
        raise error

    assert caught.value is error


def test_a_program_that_hangs_is_a_finding_where_it_takes_a_moment_only() -> None:
    """A measurement may take long."""
    hanging = CommandTimeout("still running after 120 s", command="deviceQuery", host="guest")
    with pytest.raises(Rejected) as caught, errors_are_findings("deviceQuery", may_take_long=False):
        raise hanging
    assert caught.value.cause == "cuda-hangs"

    with pytest.raises(CommandTimeout), errors_are_findings("nvbandwidth"):
        raise hanging


def test_every_error_has_its_fix() -> None:
    """And its two names lead to it."""
    assert len(cuda_errors.errors()) > 60
    for number, error in cuda_errors.errors().items():
        assert error.remedy
        assert cuda_errors.numbered(number) is error
        assert cuda_errors.named(error.name) is error
    assert cause_of("cuda-700").is_given_by("cuda.computes_right")
    assert fix_of("cuda-700", remedy="x") == "x"


@pytest.mark.parametrize(("old", "new"), [(38, 100), (48, 209), (39, 214), (77, 700), (30, 999), (80, 220), (10, 101)])
def test_numbers_before_cuda_10_1_mean_the_same(old: int, new: int) -> None:
    """They were other ones."""
    assert cuda_errors.numbered(old) is cuda_errors.numbered(new)
