#!/bin/bash
set -e
sed -e 's/OS_TENANT_NAME=admin/OS_TENANT_NAME=t1/' ~/overcloudrc > ~/t1.rc
