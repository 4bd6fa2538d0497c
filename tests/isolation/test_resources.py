"""Every type of resource is searched by the proof, or holds no tenant data."""

from tests.template.template import RESOURCES

SEARCHED = {"AWS::SQS::Queue", "AWS::Logs::LogGroup", "AWS::S3::Bucket", "AWS::Serverless::StateMachine"}
WITHOUT_TENANT_DATA = {
    "AWS::ApiGateway::ApiKey",
    "AWS::ApiGateway::BasePathMapping",  # of the platform's own domain; those of organizations are made at run time
    "AWS::ApiGateway::DomainName",
    "AWS::ApiGateway::UsagePlan",
    "AWS::ApiGateway::UsagePlanKey",
    "AWS::CertificateManager::Certificate",
    "AWS::CloudFormation::Stack",  # network, secrets, and the databases, which the proof searches by their own names
    "AWS::CloudWatch::Alarm",
    "AWS::CloudWatch::Dashboard",
    "AWS::IAM::Role",
    "AWS::KMS::Key",
    "AWS::Lambda::EventInvokeConfig",
    "AWS::Lambda::Permission",
    "AWS::Logs::MetricFilter",
    "AWS::RDS::DBProxyTargetGroup",
    "AWS::Route53::RecordSetGroup",
    "AWS::S3::BucketPolicy",
    "AWS::SQS::QueuePolicy",
    "AWS::SSM::Parameter",
    "AWS::SecretsManager::RotationSchedule",
    "AWS::SecretsManager::Secret",
    "AWS::Serverless::Api",
    "AWS::Serverless::Function",
    "AWS::Serverless::LayerVersion",
    "AWS::WAFv2::WebACL",
    "AWS::WAFv2::WebACLAssociation",
    "Custom::DataStoreAccess",
    "Custom::DatabaseProtection",
    "Custom::Schemas",
    "Custom::TokenKeys",
}


def test_every_type_of_resource_is_known_to_the_proof() -> None:
    types = {resource["Type"] for resource in RESOURCES.values()}

    assert types - SEARCHED - WITHOUT_TENANT_DATA == set()
