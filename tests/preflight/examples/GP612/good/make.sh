#!/bin/bash
set -e
sed -e 's/OS_PROJECT_NAME=admin/OS_PROJECT_NAME=t1/' ~/overcloudrc > ~/t1.rc
