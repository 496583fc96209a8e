#!/bin/bash
set -e
yum install -y cuda-drivers-580
